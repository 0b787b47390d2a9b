"""A walk runs its notebooks in one world, stops at the first surprise, and always ends its world."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.runs import walk, world

Stages = tuple[walk.Stage, ...]


def stages(workplace: Path, fixtures: Path, text: str) -> Stages:
    file = workplace / "walk.yaml"
    file.write_text(text, encoding="utf-8")
    return walk.read_stages(file, params_file="plain", within=fixtures)


def stub(fixtures: Path, *words: str) -> Any:
    """A world that serves nothing; it writes `ended` when it is ended."""

    def serve(folder: Path) -> AbstractContextManager[dict[str, str]]:
        command = [sys.executable, str(fixtures / "stub_world.py"), str(folder / "note"), *words]
        return world.served_world([], log=folder / "sandbox.log", command=command)

    return serve


def test_all_stages_see_one_world(workplace: Path, fixtures: Path) -> None:
    """The address of the world reaches every kernel, and the world is ended after the last."""
    listed = stages(workplace, fixtures, "stages: [{notebook: asks_the_world}, {notebook: all_good}]")
    lines: list[str] = []
    walked = walk.run_walk(listed, world=stub(fixtures), tell=lines.append)
    assert walked.exit_code == 0
    assert "http://127.0.0.1:1" in (walked.folder / "01-asks_the_world" / "asks_the_world.ipynb").read_text()
    assert (walked.folder / "note").read_text() == "ended"
    assert [line.split()[0] for line in lines] == ["asks_the_world", "all_good"]


def test_an_ending_that_is_expected_is_no_surprise(workplace: Path, fixtures: Path) -> None:
    """A release that is rolled back may be just what the walk shows."""
    listed = stages(
        workplace, fixtures, "stages: [{notebook: is_rolled_back, title: version 3, expected: 4}, {notebook: all_good}]"
    )
    walked = walk.run_walk(listed, world=stub(fixtures), tell=lambda text: None)
    assert walked.exit_code == 0
    assert "version 3  rolled back, as expected" in walk.table(walked)


@pytest.mark.parametrize(
    ("first", "code", "told"),
    [
        ("{notebook: closes_its_gate}", 3, "stopped by a check or gate, expected: done"),
        ("{notebook: all_good, expected: 4}", 1, "done, expected: rolled back"),
    ],
)
def test_a_surprise_ends_the_walk(workplace: Path, fixtures: Path, first: str, code: int, told: str) -> None:
    """Also a success where a failure was expected; what follows is not run, and the world is ended."""
    listed = stages(workplace, fixtures, f"stages: [{first}, {{notebook: all_good}}]")
    walked = walk.run_walk(listed, world=stub(fixtures), tell=lambda text: None)
    assert walked.exit_code == code
    assert told in walk.table(walked)
    assert "1 notebooks were not run" in walk.table(walked)
    assert (walked.folder / "note").read_text() == "ended"


def test_the_summary_is_kept_as_json(workplace: Path, fixtures: Path) -> None:
    """For a scheduler: each stage with its exit code, the expected one, and its folder."""
    walked = walk.run_walk(
        stages(workplace, fixtures, "stages: [{notebook: all_good}]"), world=stub(fixtures), tell=lambda text: None
    )
    told = json.loads((walked.folder / "summary.json").read_text())
    assert told["exit_code"] == 0
    assert [(s["notebook"], s["expected"], s["folder"]) for s in told["passed"]] == [("all_good", 0, "01-all_good")]


def test_a_stopped_walk_ends_its_world(workplace: Path, fixtures: Path) -> None:
    """SIGTERM in the middle of a notebook: its record is closed, nothing follows, the world is gone."""
    listed = stages(workplace, fixtures, "stages: [{notebook: never_ends}, {notebook: all_good}]")
    stopper = threading.Thread(target=terminate_when_reached, args=(workplace / "runs",))
    stopper.start()
    walked = walk.run_walk(listed, world=stub(fixtures), tell=lambda text: None)
    stopper.join()
    assert walked.exit_code == 143
    assert (walked.folder / "note").read_text() == "ended"


def terminate_when_reached(runs: Path) -> None:
    while not list(runs.glob("*/*/reached")):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_world_that_does_not_come_up_is_told(workplace: Path, fixtures: Path) -> None:
    """With the last thing that it said, and where the rest is."""
    with pytest.raises(RunbookError, match="the sandbox ended while it started: port taken"):
        walk.run_walk((), world=stub(fixtures, "--mute"), tell=lambda text: None)


def test_a_world_that_stays_silent_is_given_up(
    workplace: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time; nobody waits for ever."""
    monkeypatch.setattr(world, "START", 0.2)
    silent = world.served_world(
        [], log=workplace / "log", command=[sys.executable, "-c", "import signal; signal.pause()"]
    )
    with pytest.raises(RunbookError, match="did not come up within"), silent:
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "no list of stages"),
        ("stages: []", "no list of stages"),
        ("stages: [all_good]", "the stage all_good"),
        ("stages: [{notebook: all_good, when: now}]", "the stage"),
        ("stages: [{notebook: all_good, expected: 99}]", "expected: 99"),
        ("stages: [{notebook: al_good}]", "did you mean all_good?"),
        ("stages: [{notebook: own_parameters, settings: {version: 3, count: x}}]", "a value of type int"),
    ],
)
def test_a_wrong_list_is_refused_before_anything_runs(workplace: Path, fixtures: Path, text: str, told: str) -> None:
    """Every stage with all its parameters is checked first."""
    with pytest.raises(BadInput) as refused:
        stages(workplace, fixtures, text)
    assert told in str(refused.value)


def test_the_demo_lists_notebooks_that_exist(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And parameters that they have."""
    monkeypatch.chdir(root)
    listed = walk.read_stages(params_file="sandbox")
    assert [stage.expected for stage in listed if stage.expected] == [4]
    assert [stage.request.notebook.name for stage in listed][-1] == "90_tear_down"
