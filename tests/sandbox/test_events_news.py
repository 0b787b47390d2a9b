"""What ECS, CodeBuild and CodeDeploy's hooks tell EventBridge, in AWS's shapes."""

from __future__ import annotations

import json
from typing import Any

import codebuild_stage
import ecs_stage
import pytest

from runbook_lib.sandbox.world import World


def listen(world: World, source: str) -> None:
    """A rule that takes everything of a source."""
    world.client("events").put_rule(Name="all", EventPattern=json.dumps({"source": [source]}))


def told(world: World, detail_type: str) -> list[dict[str, Any]]:
    """The events of a kind, each read from its JSON."""
    emitted = world.store("events").emitted
    return [json.loads(json.dumps(event)) for event in emitted if event["detail-type"] == detail_type]


@pytest.fixture
def ecs() -> ecs_stage.Stage:
    """A service with the ECS controller, made while somebody listens."""
    stage = ecs_stage.fresh()
    listen(stage.world, "aws.ecs")
    stage.serve(
        "ECS", desiredCount=1, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    )
    stage.settle()
    return stage


def test_a_task_is_told_of_at_every_change(ecs: ecs_stage.Stage) -> None:
    """From its provisioning to its end, as DescribeTasks shows it."""
    ecs.ecs.update_service(cluster=ecs_stage.NAME, service=ecs_stage.NAME, desiredCount=0)
    ecs.wait(600)
    events = told(ecs.world, "ECS Task State Change")
    statuses = [event["detail"]["lastStatus"] for event in events]
    up = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]
    assert list(dict.fromkeys(statuses)) == [*up, "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
    last = events[-1]["detail"]
    assert events[-1]["resources"] == [last["taskArn"]]
    assert (last["stopCode"], last["containers"][0]["exitCode"]) == ("ServiceSchedulerInitiated", 143)
    assert last["stoppedAt"].endswith("Z")


def test_a_service_tells_of_its_steady_state_and_its_deployments(ecs: ecs_stage.Stage) -> None:
    """Also of one that is turned back."""
    revision = ecs.define(APP_CRASH_AFTER_SECONDS="1")
    ecs.ecs.update_service(cluster=ecs_stage.NAME, service=ecs_stage.NAME, taskDefinition=revision)
    ecs.wait(3600)
    names = [event["detail"]["eventName"] for event in told(ecs.world, "ECS Deployment State Change")]
    assert [name.removeprefix("SERVICE_DEPLOYMENT_") for name in names] == [
        "IN_PROGRESS",
        "COMPLETED",
        "IN_PROGRESS",
        "FAILED",
        "IN_PROGRESS",
        "COMPLETED",
    ]
    failed = told(ecs.world, "ECS Deployment State Change")[3]["detail"]
    assert (failed["eventType"], failed["reason"]) == (
        "ERROR",
        "ECS deployment circuit breaker: tasks failed to start.",
    )
    action = told(ecs.world, "ECS Service Action")[0]
    assert (action["detail"]["eventType"], action["detail"]["eventName"]) == ("INFO", "SERVICE_STEADY_STATE")
    assert action["resources"][0].endswith(f"service/{ecs_stage.NAME}/{ecs_stage.NAME}")


def test_nothing_is_told_of_tasks_when_nobody_listens() -> None:
    """A day of an ordinary service costs nothing."""
    stage = ecs_stage.fresh()
    listen(stage.world, "aws.codepipeline")
    stage.serve("ECS")
    stage.settle()
    assert told(stage.world, "ECS Task State Change") == []


def test_a_build_tells_of_its_phases() -> None:
    """Each with its time and result; the build itself with what it was made of."""
    stage = codebuild_stage.fresh()
    listen(stage.world, "aws.codebuild")
    stage.create()
    stage.run()
    phases = [event["detail"] for event in told(stage.world, "CodeBuild Build Phase Change")]
    assert [phase["completed-phase"] for phase in phases][:3] == ["SUBMITTED", "QUEUED", "PROVISIONING"]
    assert {phase["completed-phase-status"] for phase in phases} == {"SUCCEEDED"}
    assert phases[2]["completed-phase-duration-seconds"] == 10.0
    build = told(stage.world, "CodeBuild Build State Change")[-1]["detail"]
    assert (build["current-phase"], build["version"]) == ("COMPLETED", "1")
    about = build["additional-information"]
    assert about["environment"]["compute-type"] == "BUILD_GENERAL1_SMALL"
    assert about["build-start-time"].startswith("Mar 2, 2026 9:0")
    assert len(about["phases"]) == len(phases) + 1
