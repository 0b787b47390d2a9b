"""The whole walk with a git host as the source, headless, in one served world; and a second releaser meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lease_stage
import pytest
from hub_stage import ARN, NAME, Hub, make

from runbook_lib.runs import notebook, world
from runbook_lib.runs.execute import Run, run_notebook
from runbook_lib.runs.request import prepare

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WALK = ("10_provision", "15_move_service", "20_source_files", "21_buildspec", "22_pipeline", "30_release")


@dataclass(frozen=True)
class Walked:
    """A world whose application came from a git host, with the runs that made it."""

    hub: Hub
    runs: dict[str, Run]
    environment: dict[str, str]
    file: Path

    def run(self, name: str, *settings: str) -> Run:
        asked = prepare(notebook.read(NOTEBOOKS / f"{name}.ipynb"), params_file=str(self.file), settings=settings)
        return run_notebook(asked, output=self.file.parent / f"{name}-{len(settings)}", environment=self.environment)

    def journal(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.runs[name].folder / "journal.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    folder = tmp_path_factory.mktemp("walk")
    hub, file = make(folder), folder / "hub.yaml"
    source = {"provider": "github", "connection": ARN, "full_name": NAME, "remote": hub.remote}
    file.write_text(json.dumps({"repository": source}), encoding="utf-8")
    with world.served_world(world.arguments_for(str(file), ()), log=folder / "log") as environment:
        walk = Walked(hub, {}, environment, file)
        for name in WALK:
            walk.runs[name] = walk.run(name, *(["end_wait=true"] if name == "30_release" else []))
        yield walk


def test_every_notebook_of_the_walk_is_done(walked: Walked) -> None:
    """From an empty repository to a released version."""
    told = {name: made.verdict.line() for name, made in walked.runs.items() if made.exit_code}
    assert told == {}


def test_the_repository_has_one_commit_for_each_thing_that_was_done(walked: Walked) -> None:
    """The drafts gather on a branch of their own; nothing is there twice."""
    assert walked.hub.log() == ["Release 2.0.0", "Blue/green deployments", "The application application"]
    assert walked.hub.log("blue-green")[:2] == [
        "The build hands over what blue/green needs",
        "Task definition and AppSpec",
    ]


def test_nothing_of_codecommit_and_no_rule_is_made(walked: Walked) -> None:
    """The connection starts the pipeline; the inventory holds no repository."""
    calls = {entry["fields"]["call"] for name in WALK for entry in walked.journal(name) if entry["kind"] == "step"}
    assert "git:PushCommit" in calls
    assert not [call for call in calls if call.startswith(("codecommit", "events"))]


def test_the_commits_are_dated_by_the_run(walked: Walked) -> None:
    """By the world's clock, not by the wall's: 2026-03-02 is the day on which every world begins."""
    dates = walked.hub.git("log", "--format=%ad %cd", "--date=short", "main", place=walked.hub.bare).split()
    assert set(dates) == {"2026-03-02"}


def test_a_release_took_the_lease_and_gave_it_back(walked: Walked) -> None:
    """Among the steps of its journal, around everything that it changed."""
    steps = [one["fields"]["id"] for one in walked.journal("30_release") if one["kind"] == "step"]
    assert (steps[0], steps[-1]) == ("lease.take", "lease.give_back")


def test_a_second_releaser_is_refused_with_exit_code_6(walked: Walked) -> None:
    """While somebody else's process holds the lease; nothing was pushed."""
    before = walked.hub.head()
    command = [sys.executable, lease_stage.__file__, str(walked.file)]
    holder = subprocess.Popen(
        command, env={**os.environ, **walked.environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "taken\n"
        refused = walked.run("30_release", "version=3.0.0", "end_wait=true")
    finally:
        holder.kill()
        holder.communicate()
    assert (refused.exit_code, walked.hub.head()) == (6, before)
    assert refused.verdict.failure is not None
    assert f"process {holder.pid}" in refused.verdict.failure.seen
