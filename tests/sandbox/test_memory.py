"""Worlds that are remembered: the same as those that were brought to their state, and found again by their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib import begin, sandbox
from runbook_lib.sandbox import cache
from runbook_lib.story import worlds

Begin = Callable[..., Any]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Begin]:
    """Begins a run in a world of its own, as a new kernel would, with an empty cache folder at first."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))

    def anew(state: str = "rolling", **overrides: Any) -> Any:
        if sandbox._embedded:
            sandbox._embedded.close()
        return begin(
            "test", "sandbox", {key.replace("__", "."): value for key, value in overrides.items()}, world=state
        )

    yield anew
    if sandbox._embedded:
        sandbox._embedded.close()


def seen(run: Any) -> dict[str, Any]:
    """What a user can see of a world, and the next ids that it will give."""
    world = sandbox._embedded.world  # type: ignore[union-attr]
    ecs, elb = run.account.client("ecs"), run.account.client("elbv2")
    service = ecs.describe_services(cluster="orders", services=["orders"])["services"][0]
    return {
        "now": world.now,
        "service": {key: service[key] for key in ("events", "runningCount", "taskDefinition", "createdAt")},
        "groups": elb.describe_target_groups()["TargetGroups"],
        "runs": run.account.client("codepipeline").list_pipeline_executions(pipelineName="orders")[
            "pipelineExecutionSummaries"
        ],
        "roles": sorted(role["Arn"] for role in run.account.client("iam").list_roles()["Roles"]),
        "noted": [(entry.at, entry.kind) for entry in run.before.entries],
        "calls": [(call.time, call.service, call.operation, call.error) for call in world.calls],
        "next": (world.next_event_time(), world.ids.hex("task", 32)),
    }


def never(*asked: Any) -> Any:
    """What must not be called."""
    raise AssertionError(f"the world was brought there again: {asked}")


def files(tmp_path: Path) -> list[str]:
    """The states that are kept."""
    return sorted(
        path.name.rpartition("-")[2] for path in (tmp_path / "cache").glob("worlds/*/*") if path.suffix != ".json"
    )


def test_a_remembered_world_is_the_one_that_was_brought(
    begun: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that can be seen of it is the same, it goes on in the same way, and nothing was done for it."""
    brought = seen(begun())
    assert files(tmp_path) == ["rolling"]
    monkeypatch.delitem(worlds.STATES, "empty")
    monkeypatch.setitem(worlds.STATES, "rolling", (never, never))
    assert seen(begun()) == brought


def test_a_further_state_goes_on_from_the_last_one_that_is_known(begun: Begin, tmp_path: Path) -> None:
    """Only what is missing is done, and kept as well."""
    begun("rolling")
    begun("drafted")
    assert files(tmp_path) == ["drafted", "moved", "rolling"]


def test_other_parameters_are_another_world(begun: Begin, tmp_path: Path) -> None:
    """A remembered world is never that of somebody who asked for something else."""
    begun()
    run = begun(service__desired_count=3)
    assert (
        run.account.client("ecs").describe_services(cluster="orders", services=["orders"])["services"][0][
            "desiredCount"
        ]
        == 3
    )
    assert files(tmp_path) == ["rolling", "rolling"]


def test_a_world_with_a_past_is_left_alone(begun: Begin) -> None:
    """A notebook that is run a second time goes on where it was."""
    run = begun()
    run.account.client("ecs").update_service(cluster="orders", service="orders", desiredCount=1)
    again = begin("test", "sandbox", {}, world="rolling")
    service = again.account.client("ecs").describe_services(cluster="orders", services=["orders"])["services"][0]
    assert service["desiredCount"] == 1


def test_a_damaged_file_is_made_anew(begun: Begin, tmp_path: Path) -> None:
    """It is not half-loaded."""
    brought = seen(begun())
    (file,) = (tmp_path / "cache").glob("worlds/*/*-rolling")
    file.write_bytes(file.read_bytes()[:-100])
    assert seen(begun()) == brought
    assert len(file.read_bytes()) > 1000


def test_nothing_is_kept_where_nothing_shall_be(begun: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty variable turns remembering off."""
    monkeypatch.setenv(cache.VARIABLE, "")
    begun()
    assert files(tmp_path) == []


def test_worlds_of_long_replaced_programs_go(begun: Begin, tmp_path: Path) -> None:
    """The folder does not grow with every change of the library."""
    for number in range(5):
        (tmp_path / "cache" / "worlds" / f"former{number}").mkdir(parents=True)
    begun()
    assert len(list((tmp_path / "cache" / "worlds").iterdir())) == 3
