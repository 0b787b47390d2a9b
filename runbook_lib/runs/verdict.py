"""How a run ended, said truthfully: papermill's own notes are wrong after a kernel's death, a time-out or Ctrl-C."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runbook_lib.errors import (
    BadInput,
    CheckFailed,
    OutOfTime,
    Refused,
    ReleaseFailed,
    RolledBack,
    RunbookError,
)

FILE = "verdict.json"
DONE, RUNNING = "done", "running"
# The one table of exit codes: every command ends with one of them.
OUTCOMES = {
    0: DONE,
    RunbookError.exit_code: "broken",
    BadInput.exit_code: "bad input",
    CheckFailed.exit_code: "stopped by a check or gate",
    RolledBack.exit_code: "rolled back",
    ReleaseFailed.exit_code: "failed, not rolled back",
    Refused.exit_code: "refused",
    OutOfTime.exit_code: "out of time",
    128 + signal.SIGINT: "stopped by Ctrl-C",
    128 + signal.SIGTERM: "stopped by the scheduler",
}


@dataclass(frozen=True)
class Failure:
    """What ended a run before its end; `seen`, `wanted` and `next_step` are None for what is no error of a runbook.

    `known` are the failure modes whose words stand in the error, id and question, the most telling first.
    """

    kind: str
    text: str
    exit_code: int
    seen: str | None = None
    wanted: str | None = None
    next_step: str | None = None
    where: str | None = None
    known: tuple[str, ...] = ()

    @property
    def first_line(self) -> str:
        """The error in one line."""
        return (self.text.strip() or self.kind).splitlines()[0]


@dataclass(frozen=True)
class CellRecord:
    """A code cell: `state` is done, failed, interrupted or not run; `seconds` is None when it did not end."""

    number: int
    heading: str | None
    state: str
    seconds: float | None


@dataclass(frozen=True)
class Verdict:
    """The record of one run, as it is kept beside the executed notebook."""

    notebook: str
    title: str
    outcome: str
    exit_code: int | None  # None while it runs
    began: str
    ended: str | None  # None while it runs
    seconds: float | None
    params_file: str
    parameters: dict[str, Any]
    cells: tuple[CellRecord, ...] = ()
    failure: Failure | None = None  # None when it ran to its end
    program: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def failed_cell(self) -> CellRecord | None:
        """The cell in which the run ended early, None when there is none."""
        return next((cell for cell in self.cells if cell.state in ("failed", "interrupted")), None)

    def line(self) -> str:
        """What a progress line says of it."""
        if self.failure is None:
            return self.outcome
        place = self.failed_cell
        at = f" at cell {place.number}" if place else ""
        return f"{self.outcome}{at}: {self.failure.first_line}"


def save(verdict: Verdict, folder: Path) -> None:
    """Write the record in one go: a reader sees the former one or this one, never half of it."""
    text = json.dumps(asdict(verdict), indent=1, ensure_ascii=False, default=str) + "\n"
    new = folder / f"{FILE}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / FILE)


def outcome_of(exit_code: int) -> str:
    """What an exit code means; raises KeyError for one that is not in the table."""
    return OUTCOMES[exit_code]
