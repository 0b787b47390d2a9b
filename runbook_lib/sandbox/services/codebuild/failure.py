"""Why a phase of a build failed."""

from __future__ import annotations


class PhaseFailed(Exception):
    """The status code and message that the phase's context shows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message
