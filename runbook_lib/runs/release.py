"""A release without a notebook: the steps of 30_release in their order, told in the terminal, with the same ending."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from runbook_lib import views
from runbook_lib.clock import WallClock
from runbook_lib.errors import RunbookError
from runbook_lib.journal import RUN_DIRECTORY
from runbook_lib.runbook import Runbook, begin
from runbook_lib.runs.directory import RUNS, make_directory, shown, use_directory
from runbook_lib.runs.verdict import FILE, OUTCOMES, RUNNING
from runbook_lib.story import forecasting, judging, release, scenario

NAME = "release"


@dataclass(frozen=True)
class Asked:
    """What is to be released, and how: the version, its variables, whether a good one ends the wait at once."""

    version: str
    environment: Mapping[str, str]
    end_wait: bool
    plan_only: bool = False
    scenario: scenario.Scenario | None = None  # what happens meanwhile, in the sandbox


def released(params_file: str, overrides: Mapping[str, Any], asked: Asked, *, output: Path | None) -> int:
    """Release, and keep the evidence; gives 0, and raises what ended it otherwise, with its exit code."""
    with _evidence(output) as folder:
        run = begin("30_release", params_file, overrides, world="bluegreen")
        if asked.scenario is not None:
            scenario.prepare(run.account, run.system, asked.scenario)
            run = _played(run, asked.scenario)
        _told(folder, lambda: _release(run, asked))
    return 0


def judged(params_file: str, overrides: Mapping[str, Any], deployment_id: str) -> int:
    """What the judge would have said of a release of the past; nothing is changed."""
    run = begin("30_release", params_file, overrides, world="bluegreen")
    past = run.look(judging.retrospective, deployment_id)
    views.show(views.checks_table(past.checks()))
    return 0


def _release(run: Runbook, asked: Asked) -> None:
    before = run.look(release.read_live)
    ready = run.check(release.check_safe, asked.version, asked.environment)
    plan = run.plan(release.plan_release, asked.version, asked.environment)
    outlook = run.read(forecasting.read_outlook)
    run.look(forecasting.timeline, outlook)
    run.look(forecasting.power, outlook)
    run.look(forecasting.second_environment, outlook)
    foreseen = run.check(forecasting.check_forecast, outlook)
    if asked.plan_only:
        views.show(views.Line("Only planned: nothing was changed."))
        return
    run.gate("The release can be judged", foreseen)
    run.gate("Release", ready)
    execution = run.wait(release.wait_for_run, run.apply(plan))
    deployment = run.wait(release.wait_for_deployment, execution)
    followed = run.follow(deployment)
    run.look(release.decisions, followed)
    run.check(release.judge, deployment)
    run.check(release.check_judged, followed)
    run.apply(run.plan(release.plan_after, deployment, end_wait=asked.end_wait))
    run.end()
    run.decide(release.decide, deployment, before, followed)


def _played(run: Runbook, told: scenario.Scenario) -> Runbook:
    account = scenario.played(run.account, run.system, told)
    return replace(run, account=account)


def _told(folder: Path, what: Any) -> None:
    """Do it, and write down how it ended."""
    code, error = 1, None
    _write(folder, {"outcome": RUNNING})
    try:
        what()
        code = 0
    except RunbookError as known:
        code, error = known.exit_code, str(known)
        raise
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        raise
    except SystemExit as left:
        code = int(left.code or 0)
        raise
    finally:
        _write(folder, {"outcome": OUTCOMES.get(code, "broken"), "exit_code": code, "error": error})


def _write(folder: Path, told: Mapping[str, Any]) -> None:
    file = folder / FILE
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"release": folder.name, **told}, indent=1) + "\n", encoding="utf-8")
    new.replace(file)  # a machine that loses its power leaves one or the other


@contextmanager
def _evidence(output: Path | None) -> Iterator[Path]:
    """The folder of this run, told to the journal; SIGTERM leaves in order, and the deployment goes on without us."""
    folder = use_directory(output) if output else make_directory(NAME, clock=WallClock(), within=Path(RUNS))
    former, had = signal.signal(signal.SIGTERM, _leave), os.environ.get(RUN_DIRECTORY)
    os.environ[RUN_DIRECTORY] = str(folder)
    try:
        yield folder
    finally:
        signal.signal(signal.SIGTERM, former)
        os.environ.pop(RUN_DIRECTORY) if had is None else os.environ.update({RUN_DIRECTORY: had})
        views.show(views.Line(f"evidence: {shown(folder)}"))


def _leave(number: int, _: Any) -> NoReturn:
    raise SystemExit(128 + number)
