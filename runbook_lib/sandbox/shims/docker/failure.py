"""What docker says when it refuses."""

from __future__ import annotations


class DockerError(Exception):
    """A message for standard error and the exit code that goes with it (125: wrong use of a flag)."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.message, self.code = message, code
