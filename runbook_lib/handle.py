"""What was started, kept by its id, with a line that says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Handle:
    """The id of a run, build or deployment; every later question is about that id."""

    id: str
    says: str

    def __repr__(self) -> str:
        return self.says
