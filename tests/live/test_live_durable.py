"""A live world that is killed in mid-deployment, under load, and served again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from live_release import NAME, Release, lay_down

from tests.live.test_live_processes import ends
from tests.live.test_live_served import children


def test_a_live_deployment_survives_the_kill_of_its_server(tmp_path: Path) -> None:
    """What somebody saw has happened, the traffic flows again by the same weights, and the deployment ends well."""
    stage = lay_down(tmp_path / "state", {})
    release = Release(tmp_path / "state", stage)
    release.until_answered("1")
    release.until_quiet()
    deployment = release.start(2)
    release.until(lambda: release.weights()["green"] >= 30)
    release.client("sns").create_topic(Name="acknowledged")
    before, weights, pids = release.load(), release.weights(), children(release.served.process.pid)
    tasks = set(release.client("ecs").list_tasks(cluster=NAME)["taskArns"])
    release.kill()
    assert all(ends(pid) for pid in pids)
    release.serve()
    topics = [one["TopicArn"].rpartition(":")[2] for one in release.client("sns").list_topics()["Topics"]]
    assert topics == ["acknowledged"]
    assert release.weights()["green"] >= weights["green"]
    assert set(release.client("ecs").list_tasks(cluster=NAME)["taskArns"]) == tasks
    assert release.load()["sent"] >= before["sent"]
    assert release.until_over(deployment) == "Succeeded"
    after = release.until(lambda: found if (found := release.load())["sent"] > before["sent"] + 300 else None)
    assert after["failed"] == before["failed"] == 0, after
    assert set(after["versions"]) == {"1", "2"}
    assert release.served.end() == 0


@pytest.mark.long
def test_a_kill_in_every_phase_hurts_nobody(tmp_path: Path) -> None:
    """While green starts, in the shift, while blue drains: each time the tasks come again before the traffic."""
    release = Release(tmp_path / "state", lay_down(tmp_path / "state", {}))
    before = release.until_answered("1")
    release.until_quiet()
    deployment = release.start(2)
    for reached in (
        lambda: any(one["lastStatus"] == "PENDING" for one in tasks(release)),
        lambda: release.weights()["green"] >= 50,
        lambda: release.weights()["green"] == 100,
    ):
        release.until(reached)
        release.kill()
        release.serve()
    assert release.until_over(deployment) == "Succeeded"
    release.until(lambda: {one["taskDefinitionArn"] for one in tasks(release)} == {release.stage.definitions[1]})
    assert release.load()["failed"] == before["failed"] == 0, release.load()
    assert release.served.end() == 0


def tasks(release: Release) -> list[dict[str, Any]]:
    """The tasks that are not stopped, as ECS shows them."""
    ecs = release.client("ecs")
    arns = [arn for status in ("RUNNING", "STOPPED") for arn in listed(ecs, status)]
    found = ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"] if arns else []
    return [one for one in found if one["lastStatus"] != "STOPPED"]


def listed(ecs: Any, status: str) -> list[str]:
    arns: list[str] = ecs.list_tasks(cluster=NAME, desiredStatus=status)["taskArns"]
    return arns
