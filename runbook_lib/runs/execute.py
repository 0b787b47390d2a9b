"""Execute one notebook headless: evidence first, then the kernel, and a verdict however it ends."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from runbook_lib import journal
from runbook_lib.clock import Clock, WallClock
from runbook_lib.errors import OutOfTime, RunbookError
from runbook_lib.runs import verdict as verdicts
from runbook_lib.runs import witness
from runbook_lib.runs.attempt import Attempt, Limits, Stopped
from runbook_lib.runs.directory import RUNS, make_directory, use_directory
from runbook_lib.runs.evidence import LOG, keep, program
from runbook_lib.runs.request import Request
from runbook_lib.runs.verdict import Failure, Verdict

LIMITS = Limits(cell=4 * 3600, total=6 * 3600)


@dataclass(frozen=True)
class Run:
    """A run that has ended: its verdict and where its evidence lies."""

    verdict: Verdict
    folder: Path

    @property
    def exit_code(self) -> int:
        """The exit code that the run ends with."""
        return RunbookError.exit_code if self.verdict.exit_code is None else self.verdict.exit_code


def run_notebook(
    request: Request,
    *,
    output: Path | None = None,
    limits: Limits = LIMITS,
    environment: dict[str, str] | None = None,
    clock: Clock | None = None,
) -> Run:
    """Run a notebook into a directory of its own (under runs/, or the new one that the caller names).

    The verdict tells how it ended; an error of the notebook is never raised here.
    """
    clock = clock or WallClock()
    name = request.notebook.name
    folder = use_directory(output) if output else make_directory(name, clock=clock, within=Path.cwd() / RUNS)
    folder = folder.resolve()
    opened = _open(request, clock)
    verdicts.save(opened, folder)
    shutil.copy(request.file, folder)
    attempt = Attempt(clock, limits, clock.now())
    told = {**os.environ, **(environment or {}), witness.RUN_DIRECTORY: str(folder)}
    with attempt.stoppable():
        failure = _attempt(request, folder, attempt, told)
    (folder / witness.FILE).unlink(missing_ok=True)
    return Run(_close(opened, folder, attempt, failure), folder)


def _open(request: Request, clock: Clock) -> Verdict:
    return Verdict(
        notebook=request.notebook.name,
        title=request.notebook.title,
        outcome=verdicts.RUNNING,
        exit_code=None,
        began=clock.now().isoformat(timespec="seconds"),
        ended=None,
        seconds=None,
        params_file=request.params_file,
        parameters=journal.redact({**request.own, **request.overrides}),
        program=program(request.notebook.path.parent),
    )


def _attempt(request: Request, folder: Path, attempt: Attempt, environment: dict[str, str]) -> Failure | None:
    from runbook_lib.runs import engine

    executed = folder / request.notebook.path.name
    try:
        with (folder / LOG).open("wb") as log:
            engine.play(
                request.notebook.path,
                executed,
                parameters=request.injected,
                attempt=attempt,
                environment=environment,
                log=log,
            )
    except engine.PapermillExecutionError as error:
        return _stopped(attempt) or _witnessed(folder) or Failure(error.ename, error.evalue, RunbookError.exit_code)
    except Stopped:
        return _stopped(attempt)
    except TimeoutError:
        return _out_of_time(attempt)
    except RuntimeError as error:  # nbclient: the kernel died, or never came up
        return _stopped(attempt) or Failure("KernelDied", str(error), RunbookError.exit_code)
    # papermill passes over sys.exit(0), which leaves the cells behind it undone.
    return _witnessed(folder) if attempt.failed else None


def _stopped(attempt: Attempt) -> Failure | None:
    if attempt.stopped_by is None:
        return None
    code = 128 + attempt.stopped_by
    return Failure("Stopped", verdicts.outcome_of(code), code)


def _out_of_time(attempt: Attempt) -> Failure:
    limit = attempt.limits
    text = f"a cell did not end within its limit ({limit.cell:g} s a cell, {limit.total:g} s for the whole run)"
    return Failure(
        OutOfTime.__name__,
        text,
        OutOfTime.exit_code,
        seen="the cell was still running at its limit",
        wanted=f"an end within {limit.cell:g} s for the cell and {limit.total:g} s for the run",
        next_step="read its output so far, then run again with --cell-minutes or --minutes",
    )


def _witnessed(folder: Path) -> Failure | None:
    file = folder / witness.FILE
    return Failure(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def _close(opened: Verdict, folder: Path, attempt: Attempt, failure: Failure | None) -> Verdict:
    ended = attempt.clock.now()
    code = failure.exit_code if failure else 0
    closed = replace(
        opened,
        outcome=verdicts.outcome_of(code),
        exit_code=code,
        ended=ended.isoformat(timespec="seconds"),
        seconds=round((ended - attempt.began).total_seconds(), 3),
        failure=failure,
    )
    return keep(closed, folder=folder, attempt=attempt)
