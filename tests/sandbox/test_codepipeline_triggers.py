"""Which pushes start a pipeline: filters by branch, tag and path, and what the run is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_stage import ARN, NAME, Hub, make
from pipeline_stage import Stage, action, approval, fresh, stage

from runbook_lib.sandbox import git_remote, moto_state
from runbook_lib.sandbox.services import codeconnections
from runbook_lib.sandbox.services.codepipeline import triggers

CASES = Path(__file__).parents[1] / "cases/codepipeline/triggers"


@pytest.mark.parametrize("case", [pytest.param(file, id=file.stem) for file in sorted(CASES.glob("*.json"))])
def test_a_filter_lets_through_what_fits(case: Path) -> None:
    """Each case is a file: push filters, and which of some pushes start the pipeline."""
    told = json.loads(case.read_text(encoding="utf-8"))
    config = {"sourceActionName": "Hub", **({"push": told["push"]} if told["push"] else {})}
    pushed = [triggers.Push(one["ref"], "1", lambda paths=one["paths"]: tuple(paths)) for one in told["pushed"]]
    assert [triggers.starts(config, told["branch"], push) for push in pushed] == told["starts"]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = make(tmp_path)
    made.push("first", app_py="1", docs__a_md="1")
    return made


@pytest.fixture
def world(hub: Hub) -> Stage:
    """A world with a completed connection to the repository."""
    made = fresh()
    connections = made.world.store("codeconnections").connections
    connections[ARN] = codeconnections.Connection(ARN, "hub", "GitHub", "AVAILABLE", {NAME: hub.remote})
    return made


def create(world: Stage, *push: dict[str, Any]) -> None:
    """A pipeline with a trigger; its first run has ended."""
    told = {"ConnectionArn": ARN, "FullRepositoryId": NAME, "BranchName": "main"}
    source = stage("Source", action("Hub", "CodeStarSourceConnection", outputs="Code", **told))
    config = {"sourceActionName": "Hub", **({"push": list(push)} if push else {})}
    trigger = {"providerType": "CodeStarSourceConnection", "gitConfiguration": config}
    world.create(source, approval(), pipelineType="V2", triggers=[trigger])
    world.settle()
    world.answer("Rejected")


def started(world: Stage) -> list[str]:
    """The commits of the runs that pushes have started, oldest first."""
    world.wait(70)
    world.settle()
    runs = [run for run in reversed(world.runs()) if run["trigger"]["triggerType"] == "WebhookV2"]
    return [run["sourceRevisions"][0]["revisionId"] for run in runs]


def test_a_push_to_a_branch_of_the_filter_starts_a_run_of_that_commit(world: Stage, hub: Hub) -> None:
    """Not of the head of the action's own branch."""
    create(world, {"branches": {"includes": ["release/*"]}})
    hub.push("on main", app_py="2")
    pushed = hub.push("on a release", branch="release/1", app_py="3")
    assert started(world) == [pushed]
    assert world.runs()[0]["trigger"]["triggerDetail"] == ARN


def test_a_tag_starts_a_run_of_the_commit_that_it_is_put_on(world: Stage, hub: Hub) -> None:
    """An annotated tag is an object of its own; the commit is what is built."""
    create(world, {"tags": {"includes": ["v*"]}})
    pushed = hub.push("second", app_py="2")
    hub.tag("v1")
    hub.tag("other")
    assert started(world) == [pushed]


def test_paths_of_all_new_commits_count(world: Stage, hub: Hub) -> None:
    """A push of two commits, of which the first changed what the filter names."""
    create(world, {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["app.py"]}})
    hub.push("words", docs__a_md="2")
    assert started(world) == []
    hub.push("code", app_py="2")
    last = hub.push("words again", docs__a_md="3")
    assert started(world) == [last]


def test_every_branch_of_a_push_starts_its_own_run(world: Stage, hub: Hub) -> None:
    """In the order of their names."""
    create(world, {"branches": {"includes": ["**"]}})
    second = hub.push("b", branch="b", app_py="b")
    first = hub.push("a", branch="a", app_py="a")
    assert started(world) == [first, second]


def test_what_is_deleted_starts_nothing(world: Stage, hub: Hub) -> None:
    """Nor does a branch that goes back to where another one is: there it starts, for it was pushed."""
    hub.push("a", branch="a", app_py="a")
    create(world, {"branches": {"includes": ["**"]}})
    hub.git("push", "-q", "origin", "--delete", "a")
    assert started(world) == []


def test_a_trigger_without_a_filter_watches_the_branch_of_the_action(world: Stage, hub: Hub) -> None:
    """As change detection does."""
    create(world)
    hub.push("elsewhere", branch="other", app_py="2")
    pushed = hub.push("here", app_py="3")
    assert started(world) == [pushed]


def test_a_host_that_is_away_for_a_while_is_no_news(world: Stage, hub: Hub) -> None:
    """What was pushed meanwhile is found when it is back."""
    create(world, {"branches": {"includes": ["main"]}})
    pushed = hub.push("second", app_py="2")
    hub.bare.rename(hub.bare.with_name("away"))
    assert started(world) == []
    hub.bare.with_name("away").rename(hub.bare)
    assert started(world) == [pushed]


def test_a_world_remembers_what_it_has_seen(world: Stage, hub: Hub) -> None:
    """Saved and loaded, it starts a run for what was pushed meanwhile, and for nothing else."""
    create(world, {"branches": {"includes": ["main"]}})
    again = Stage(moto_state.load(moto_state.dump(world.world)))
    pushed = hub.push("second", app_py="2")
    assert started(again) == [pushed]


def test_the_same_pushes_are_found_at_the_same_time(hub: Hub, world: Stage) -> None:
    """The remote is looked at by the world's clock: at the full minute after the pipeline was made."""
    create(world, {"branches": {"includes": ["main"]}})
    began = world.world.now
    hub.push("second", app_py="2")
    world.until(lambda: len(world.runs()) == 2)
    assert 0 < world.world.now - began <= 60
    assert git_remote.refs(hub.remote) == world.world.store("codepipeline").pipelines["orders"].refs["Hub"]
