"""What is done already is seen and not done again: in one world, in one kernel, and after a run that was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.runs import walk, world

ONCE = """
stages:
  - {notebook: 10_provision}
  - {notebook: 15_move_service}
  - {notebook: 20_source_files}
  - {notebook: 21_buildspec}
  - {notebook: 22_pipeline}
  - {notebook: 30_release}
"""
# With the release of the first pass still in its termination wait, which nobody may end or stop by looking again.
AGAIN = ONCE + "  - {notebook: 50_watch}\n"
BACK_TWICE = "stages: [{notebook: 40_roll_back}, {notebook: 40_roll_back}, {notebook: 22_pipeline}]"
GONE_TWICE = "stages: [{notebook: 90_tear_down}, {notebook: 90_tear_down}]"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One served world for all passes below, in the order in which they stand."""
    log = tmp_path_factory.mktemp("world") / "sandbox.log"
    with world.served_world(world.arguments_for("sandbox", []), log=log) as environment:
        yield environment


def passed(shared: dict[str, str], folder: Path, text: str) -> tuple[walk.Walk, list[str]]:
    """A pass through notebooks in the shared world: the walk, and the ids of the steps that did something."""
    file = folder / "stages.yaml"
    file.write_text(text, encoding="utf-8")
    made = walk.run_walk(
        walk.read_stages(file, params_file="sandbox"),
        world=lambda _: nullcontext(shared),
        tell=lambda text: None,
        output=folder / "evidence",
    )
    return made, [step for stage in made.passed for step in done(made.folder / stage.folder)]


def done(folder: Path) -> list[str]:
    """The steps of a run that were done, by its journal; the lease is taken and given back by every run."""
    entries: list[dict[str, Any]] = json.loads((folder / "journal.json").read_text(encoding="utf-8"))
    steps = [e["fields"]["id"] for e in entries if e["kind"] == "step" and e["fields"]["done"]]
    return [step for step in steps if not step.startswith("lease.")]


def test_a_first_pass_does_everything(shared: dict[str, str], tmp_path: Path) -> None:
    """From an empty account to a release that waits to end."""
    made, steps = passed(shared, tmp_path, ONCE)
    assert made.exit_code == 0, walk.table(made)
    assert len(steps) == len(set(steps)), "a step was done twice"


def test_a_second_pass_does_nothing(shared: dict[str, str], tmp_path: Path) -> None:
    """Every notebook ends well again, the release under way is taken up, and no step is done."""
    made, steps = passed(shared, tmp_path, AGAIN)
    assert made.exit_code == 0, walk.table(made)
    assert steps == []


def test_going_back_twice_goes_back_once(shared: dict[str, str], tmp_path: Path) -> None:
    """The second time finds the way back under way; 22 does not open what it closed."""
    made, steps = passed(shared, tmp_path, BACK_TWICE)
    assert made.exit_code == 0, walk.table(made)
    assert steps == ["pipeline.freeze", "deployment.stop"]


def test_tearing_down_twice_finds_nothing_the_second_time(shared: dict[str, str], tmp_path: Path) -> None:
    """And provisions nothing in order to tear it down."""
    made, steps = passed(shared, tmp_path, GONE_TWICE)
    assert made.exit_code == 0, walk.table(made)
    assert done(made.folder / made.passed[1].folder) == []
    assert steps
