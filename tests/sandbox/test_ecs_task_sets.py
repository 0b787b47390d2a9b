"""Task sets as CodeDeploy moves them: what each API shows in each phase of a deployment."""

from __future__ import annotations

import json
import pickle
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ecs_stage import CASES, NAME, Stage, fresh

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import ecs, elbv2

DEPLOYMENT = "d-7QX2K9ABC"
PHASES = sorted((CASES / "ecs" / "phases").glob("*.json"))


@pytest.fixture
def stage() -> Stage:
    """A service under CodeDeploy that runs two healthy tasks behind blue."""
    stage = fresh()
    stage.serve(healthCheckGracePeriodSeconds=30)
    stage.settle()
    return stage


def install(stage: Stage, **environment: str) -> str:
    """Makes green; the id of its task set."""
    return ecs.create_task_set(
        stage.world,
        cluster=NAME,
        service=NAME,
        task_definition=stage.define(**environment),
        target_group_arn=stage.green,
        container="app",
        port=8080,
        external_id=DEPLOYMENT,
    )


def promote(stage: Stage, task_set: str) -> None:
    ecs.set_primary(stage.world, cluster=NAME, service=NAME, task_set_id=task_set)


def remove(stage: Stage, task_set: str) -> None:
    ecs.delete_task_set(stage.world, cluster=NAME, service=NAME, task_set_id=task_set)


def primary(stage: Stage) -> str:
    return ecs.task_sets(stage.world, NAME, NAME)[0].id


def shift(stage: Stage, blue: int, green: int) -> None:
    elbv2.set_weights(stage.world, stage.production, {stage.blue: blue, stage.green: green})


def at_install(stage: Stage) -> None:
    install(stage)
    stage.wait(50)


def at_test_traffic(stage: Stage) -> None:
    install(stage)
    stage.settle()


def at_canary(stage: Stage) -> None:
    install(stage)
    stage.settle()
    shift(stage, 90, 10)


def at_shifted(stage: Stage) -> None:
    green = install(stage)
    stage.settle()
    shift(stage, 0, 100)
    promote(stage, green)


def at_draining(stage: Stage) -> None:
    blue = primary(stage)
    at_shifted(stage)
    remove(stage, blue)


def at_rolled_back(stage: Stage) -> None:
    green = install(stage)
    stage.settle()
    shift(stage, 90, 10)
    shift(stage, 100, 0)
    remove(stage, green)


REACHED: dict[str, Callable[[Stage], None]] = {
    "0_steady": lambda stage: None,
    "1_install": at_install,
    "2_test_traffic": at_test_traffic,
    "3_canary": at_canary,
    "4_shifted": at_shifted,
    "5_draining": at_draining,
    "6_rolled_back": at_rolled_back,
}


def roles(stage: Stage) -> dict[str, Any]:
    """What the APIs show, with roles and counts instead of names."""
    shown = stage.shown()
    groups = {stage.blue: "blue", stage.green: "green"}
    return {
        "deployments": shown["deployments"],
        "counts": [shown["desiredCount"], shown["runningCount"], shown["pendingCount"]],
        "serves": groups[shown["loadBalancers"][0]["targetGroupArn"]],
        "taskSets": [
            {
                "group": groups[one["loadBalancers"][0]["targetGroupArn"]],
                "status": one["status"],
                "stabilityStatus": one["stabilityStatus"],
                "counts": [one["computedDesiredCount"], one["runningCount"], one["pendingCount"]],
                "externalId": one.get("externalId"),
            }
            for one in shown["taskSets"]
        ],
        "weights": {groups[arn]: weight for arn, weight in elbv2.weights(stage.world, stage.production).items()},
        "targets": {name: dict(Counter(stage.health(arn))) for arn, name in groups.items()},
    }


@pytest.mark.parametrize("case", PHASES, ids=lambda case: case.stem)
def test_each_phase_shows_its_roles(stage: Stage, case: Path) -> None:
    """Each case is a file: what the services, listeners and targets show in a phase of a deployment."""
    REACHED[case.stem](stage)
    assert roles(stage) == json.loads(case.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["service", "task_set"])
def test_the_keys_of_aws_are_there(stage: Stage, kind: str) -> None:
    """No key that the real API shows for such a service is missing."""
    keys = json.loads((CASES / "ecs" / "keys.json").read_text(encoding="utf-8"))
    shown = {"service": stage.shown(), "task_set": stage.shown()["taskSets"][0]}[kind]
    assert set(keys[kind]) - set(shown) == set()


def test_the_answers_fit_the_models_of_boto3(stage: Stage) -> None:
    """Every value has the type that the API's model gives it, and no key is unknown to it."""
    from botocore.validate import ParamValidator

    at_draining(stage)
    arns = stage.ecs.list_tasks(cluster=NAME)["taskArns"]
    answers = {
        ("ecs", "DescribeServices"): stage.ecs.describe_services(cluster=NAME, services=[NAME], include=["TAGS"]),
        ("ecs", "DescribeTaskSets"): stage.ecs.describe_task_sets(cluster=NAME, service=NAME),
        ("ecs", "DescribeTasks"): stage.ecs.describe_tasks(cluster=NAME, tasks=arns),
        ("elbv2", "DescribeTargetHealth"): stage.elb.describe_target_health(TargetGroupArn=stage.blue),
        ("elbv2", "DescribeListeners"): stage.elb.describe_listeners(ListenerArns=[stage.production]),
    }
    for (service, operation), answer in answers.items():
        del answer["ResponseMetadata"]
        shape = stage.world.client(service).meta.service_model.operation_model(operation).output_shape
        assert ParamValidator().validate(answer, shape).generate_report() == ""


def test_task_sets_are_described_by_id_and_by_arn(stage: Stage) -> None:
    """Whichever a caller has."""
    shown = stage.shown()["taskSets"][0]
    for name in (shown["id"], shown["taskSetArn"]):
        found = stage.ecs.describe_task_sets(cluster=NAME, service=NAME, taskSets=[name])
        assert [one["id"] for one in found["taskSets"]] == [shown["id"]]


def test_blue_is_gone_when_its_tasks_are(stage: Stage) -> None:
    """The draining set leaves with its last task, and its targets after their delay."""
    at_draining(stage)
    stage.settle()
    assert [one["status"] for one in stage.shown()["taskSets"]] == ["PRIMARY"]
    assert stage.health(stage.blue) == []
    assert stage.shown()["runningCount"] == 2


def test_the_next_release_goes_to_the_other_group(stage: Stage) -> None:
    """The service shows the group of its primary task set: the colours swap."""
    at_draining(stage)
    stage.settle()
    assert stage.shown()["loadBalancers"] == [stage.binding(stage.green)]
    assert ecs.service(stage.world, NAME, NAME).desired == 2


def test_tasks_are_listed_by_their_task_set(stage: Stage) -> None:
    """A task is started by its set."""
    green = install(stage)
    assert len(stage.tasks(startedBy=green)) == 2
    assert len(stage.tasks(startedBy=primary(stage))) == 2


def test_a_failing_green_never_becomes_steady(stage: Stage) -> None:
    """Its tasks are replaced again and again while blue serves."""
    green = install(stage, APP_HEALTH="fail")
    stage.wait(1800)
    found = {one.id: one.steady for one in ecs.task_sets(stage.world, NAME, NAME)}
    assert found == {green: False, primary(stage): True}
    assert len(stage.tasks("STOPPED", startedBy=green)) > 10
    assert stage.health().count("healthy") == 2


def test_green_needs_no_listener_yet(stage: Stage) -> None:
    """Unlike a new service a task set may use a group behind no listener: its targets are unused until the shift."""
    for listener in (stage.production, stage.test):
        stage.elb.modify_listener(ListenerArn=listener, DefaultActions=stage.forward(blue=1))
    green = install(stage)
    stage.settle()
    assert {one.id: one.steady for one in ecs.task_sets(stage.world, NAME, NAME)}[green]
    assert {target.state for target in elbv2.targets_of(stage.world, stage.green)} == {"unused"}


def test_scaling_reaches_every_set_that_does_not_drain(stage: Stage) -> None:
    """During a deployment both colours follow the desired count."""
    install(stage)
    stage.settle()
    ecs.set_desired_count(stage.world, NAME, NAME, 3)
    stage.settle()
    assert [ecs.running_count(stage.world, one) for one in ecs.task_sets(stage.world, NAME, NAME)] == [3, 3]


@pytest.mark.parametrize("count", [0, 5])
def test_the_desired_count_may_change_under_codedeploy(stage: Stage, count: int) -> None:
    """It is among the few things that UpdateService may do there."""
    stage.ecs.update_service(cluster=NAME, service=NAME, desiredCount=count)
    stage.settle()
    assert stage.shown()["runningCount"] == count


def test_the_primary_set_cannot_be_deleted(stage: Stage) -> None:
    """Production would go with it."""
    with pytest.raises(AwsError, match="The primary task set cannot be deleted"):
        remove(stage, primary(stage))


def test_events_name_the_task_set(stage: Stage) -> None:
    """What concerns green says so."""
    green = install(stage)
    stage.settle()
    about = [message for message in stage.messages() if f"(service {NAME}, taskSet {green})" in message]
    assert about[-1] == f"(service {NAME}, taskSet {green}) updated state to STEADY_STATE."
    assert "has started 2 tasks: (task " in about[0]


def test_a_saved_world_goes_on_as_the_other_one_does(stage: Stage) -> None:
    """In mid-deployment the world is saved; both courses end byte for byte alike."""
    at_install(stage)
    twin = moto_state.load(moto_state.dump(stage.world))
    stage.settle()
    while not twin.idle():
        twin.run_until(twin.next_event_time())
    assert pickle.dumps(twin.store("ecs")) == pickle.dumps(pickle.loads(pickle.dumps(stage.world.store("ecs"))))


def test_a_release_costs_little(stage: Stage) -> None:
    """An hour with a release in it is played in a blink; the limit leaves room for slow machines."""
    begun = time.process_time()
    at_draining(stage)
    stage.settle()
    stage.wait(3600)
    assert time.process_time() - begun < 2.0
