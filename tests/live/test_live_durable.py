"""A live world that is killed in mid-deployment, under load, and served again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_release import NAME, Release, lay_down
from served_stage import Served

from runbook_lib.sandbox import connect, save
from tests.live.live_stage import push, settings
from tests.live.test_live_processes import ends
from tests.live.test_live_served import children
from tests.sandbox import ecs_stage


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


CALLING = """
import os, time, boto3
me = boto3.client("sts").get_caller_identity()["Arn"]
boto3.client("sns").create_topic(Name="made-by-the-task")
print("I am", me.split("/")[1], "and know", os.environ["KEY"], flush=True)
time.sleep(600)
"""


def test_what_a_task_changed_is_kept(tmp_path: Path) -> None:
    """It calls as its role, with a secret read as another one: done again after a kill, and the process with it."""
    stage = ecs_stage._build(settings())
    image = push(stage.world, {"/app/calling.py": CALLING}, command=("python", "calling.py"), directory="/app")
    stage.world.client("logs").create_log_group(logGroupName="/orders")
    stage.world.client("ssm").put_parameter(Name="key", Value="k1", Type="String")
    statement = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    stage.world.client("iam").put_role_policy(RoleName="execution", PolicyName="key", PolicyDocument=policy)
    options = {"awslogs-group": "/orders", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    container = {
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "secrets": [{"name": "KEY", "valueFrom": "key"}],
    }
    role = ecs_stage.make_role(stage.world, "application")
    stage.ecs.register_task_definition(**ecs_stage.definition(stage.role, image, container), taskRoleArn=role)
    stage.serve("ECS", desiredCount=1, loadBalancers=None)
    save.save(stage.world, tmp_path / "state")
    served = Served("--state", str(tmp_path / "state"))
    until(lambda: said(served.url) == ["I am application and know k1"])
    served.kill()
    served = Served("--state", str(tmp_path / "state"))
    topics = connect(served.url).client("sns").list_topics()["Topics"]
    assert [one["TopicArn"].rpartition(":")[2] for one in topics] == ["made-by-the-task"]
    until(lambda: said(served.url) == ["I am application and know k1"] * 2)
    assert served.end() == 0


def said(url: str) -> list[str]:
    """What the tasks of a served world wrote."""
    events = connect(url).client("logs").filter_log_events(logGroupName="/orders")["events"]
    return [event["message"] for event in events]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.2)
