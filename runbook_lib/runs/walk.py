"""A walk: several runbooks in their order in one world, each with the ending that is expected of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from runbook_lib import yamlfile
from runbook_lib.clock import Clock, WallClock
from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.runs import notebook as notebooks
from runbook_lib.runs.directory import RUNS, make_directory, use_directory
from runbook_lib.runs.execute import LIMITS, Run, run_notebook
from runbook_lib.runs.request import Request, prepare
from runbook_lib.runs.verdict import OUTCOMES, outcome_of

DEMO = Path(__file__).parent / "demo.yaml"
SUMMARY = "summary.json"
WIDTH = 24


@dataclass(frozen=True)
class Stage:
    """One notebook of a walk, ready to run: what it is told, and the exit code that it should end with."""

    title: str
    request: Request
    expected: int


@dataclass(frozen=True)
class Passed:
    """A stage that was walked: `folder` lies in the folder of the walk."""

    notebook: str
    title: str
    outcome: str
    exit_code: int
    expected: int
    seconds: float
    folder: str

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it should."""
        return self.exit_code == self.expected


@dataclass(frozen=True)
class Walk:
    """A walk that has ended: its stages as far as it came, and where the evidence lies."""

    passed: tuple[Passed, ...]
    stages: int
    folder: Path

    @property
    def exit_code(self) -> int:
        """0 when every notebook ended as expected, else the code of the first that did not (1 for a wrong success)."""
        odd = [stage for stage in self.passed if not stage.as_expected]
        if odd:
            return odd[0].exit_code or RunbookError.exit_code
        return 0 if len(self.passed) == self.stages else RunbookError.exit_code


def read_stages(
    file: Path = DEMO, *, params_file: str, settings: Sequence[str] = (), within: Path | None = None
) -> tuple[Stage, ...]:
    """The stages that a file lists, every parameter of every stage checked; `settings` hold for all of them."""
    listed = yamlfile.read(file).value.get("stages")
    if not isinstance(listed, list) or not listed:
        raise _bad(file, "no list of stages", "stages: a list of notebooks")
    return tuple(_stage(entry, file, params_file, settings, within) for entry in listed)


def run_walk(
    stages: Sequence[Stage],
    *,
    world: Callable[[Path], Any],
    tell: Callable[[str], None],
    output: Path | None = None,
    clock: Clock | None = None,
) -> Walk:
    """Walk the stages in one world until one ends otherwise than expected; `tell` gets one line a notebook.

    `world` gives, for the folder of the walk, the context in which the world is served: its value is the environment
    of the kernels.
    """
    clock = clock or WallClock()
    folder = use_directory(output) if output else make_directory("demo", clock=clock, within=Path.cwd() / RUNS)
    passed: list[Passed] = []
    with exit_on_stop(), world(folder) as environment:
        for number, stage in enumerate(stages, 1):
            run = run_notebook(
                stage.request,
                output=folder / f"{number:02}-{stage.request.notebook.name}",
                limits=LIMITS,
                environment=environment,
                clock=clock,
            )
            passed.append(_passed(stage, run))
            tell(line(passed[-1], run))
            if not passed[-1].as_expected:
                break
    walk = Walk(tuple(passed), len(stages), folder)
    _save(walk)
    return walk


def line(stage: Passed, run: Run) -> str:
    """The progress line of a stage."""
    note = "" if stage.as_expected else f"  (expected: {outcome_of(stage.expected)})"
    told = run.verdict.outcome if stage.as_expected else run.verdict.line()
    return f"{stage.title:<{WIDTH}}  {stage.seconds:6.1f} s  {told}{note}"


def table(walk: Walk) -> str:
    """The summary of a walk, as text."""
    rows = [("notebook", "outcome", "seconds", "evidence")]
    rows += [(s.title, _outcome(s), f"{s.seconds:.1f}", s.folder) for s in walk.passed]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    left = walk.stages - len(walk.passed)
    return "\n".join([*lines, *([f"{left} notebooks were not run"] if left else [])])


@contextmanager
def exit_on_stop() -> Iterator[None]:
    """Inside, SIGTERM leaves by SystemExit, so that what was started is ended; Ctrl-C does so anyway."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _stage(
    entry: Mapping[str, Any], file: Path, params_file: str, settings: Sequence[str], within: Path | None
) -> Stage:
    if not isinstance(entry, dict) or not entry.keys() <= {"notebook", "title", "settings", "expected"}:
        raise _bad(file, f"the stage {entry}", "notebook, and where wanted title, settings and expected")
    expected = entry.get("expected", 0)
    if expected not in OUTCOMES:
        raise _bad(file, f"expected: {expected}", f"an exit code: {', '.join(map(str, OUTCOMES))}")
    notebook = notebooks.read(notebooks.find(str(entry.get("notebook", "")), within=within))
    own = [f"{key}={_text(value)}" for key, value in entry.get("settings", {}).items()]
    request = prepare(notebook, params_file=params_file, settings=[*own, *settings])
    return Stage(str(entry.get("title", notebook.name)), request, expected)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)  # JSON is YAML


def _passed(stage: Stage, run: Run) -> Passed:
    return Passed(
        notebook=stage.request.notebook.name,
        title=stage.title,
        outcome=run.verdict.outcome,
        exit_code=run.exit_code,
        expected=stage.expected,
        seconds=run.verdict.seconds or 0.0,
        folder=run.folder.name,
    )


def _outcome(stage: Passed) -> str:
    if stage.as_expected:
        return stage.outcome + (", as expected" if stage.expected else "")
    return f"{stage.outcome}, expected: {outcome_of(stage.expected)}"


def _save(walk: Walk) -> None:
    told = {"exit_code": walk.exit_code, "stages": walk.stages, "passed": [asdict(stage) for stage in walk.passed]}
    (walk.folder / SUMMARY).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _bad(file: Path, seen: str, wanted: str) -> BadInput:
    return BadInput(where=file.name, seen=seen, wanted=wanted, next_step="correct the list of the walk")
