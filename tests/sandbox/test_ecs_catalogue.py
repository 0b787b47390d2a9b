"""Clusters, task definitions and services: what is accepted, how it is answered, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ecs_stage import NAME, Refusal, Stage, definition, filled, fresh, make_group, make_role, refusal, refusals
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.sandbox import Settings
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import ecs
from runbook_lib.sandbox.services.ecs import fargate
from runbook_lib.sandbox.world import World


@pytest.fixture
def stage() -> Stage:
    return fresh()


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """A stage with a service under CodeDeploy, an idle group and a group of instances; refused calls change nothing."""
    stage = fresh(whole=True)
    stage.serve()
    groups = {
        "idle": make_group(stage.world, stage.vpc, "idle"),
        "instances": make_group(stage.world, stage.vpc, "instances", TargetType="instance"),
    }
    behind = [{"TargetGroupArn": groups["instances"], "Weight": 1}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": behind}}
    stage.elb.create_listener(LoadBalancerArn=stage.balancer, Protocol="HTTP", Port=90, DefaultActions=[action])
    more = {"subnet": stage.subnets[0], "network": stage.network(), "binding": stage.binding(), "ecs": stage.ecs}
    return vars(stage) | groups | more


@pytest.mark.parametrize("case", refusals("ecs"))
def test_what_aws_refuses_is_refused_in_its_words(names: dict[str, Any], case: Refusal) -> None:
    """Each case is a file: an operation, its parameters, the code and a part of the message."""
    code, message = refusal(getattr(names["ecs"], case.operation), **filled(case.params, names))
    assert code == case.code
    assert filled(case.message, names) in message


# ---- task definitions


def test_a_revision_is_answered_with_what_ecs_adds(stage: Stage) -> None:
    """Ports, defaults and compatibilities are filled in, and describing gives the same."""
    made = stage.ecs.register_task_definition(**definition(stage.role))["taskDefinition"]
    container = made["containerDefinitions"][0]
    assert container["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]
    assert (container["cpu"], container["essential"], container["mountPoints"]) == (0, True, [])
    assert made["compatibilities"] == ["EC2", "FARGATE"]
    assert stage.ecs.describe_task_definition(taskDefinition=NAME)["taskDefinition"] == made


def test_a_described_revision_registers_again_without_what_ecs_added(stage: Stage) -> None:
    """The keys that RegisterTaskDefinition accepts are a part of those that it answers."""
    shown = stage.ecs.describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    accepted = stage.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    again = stage.ecs.register_task_definition(**{key: value for key, value in shown.items() if key in accepted})
    assert again["taskDefinition"]["revision"] == shown["revision"] + 1


def test_tags_of_a_revision_are_shown_when_asked_for(stage: Stage) -> None:
    """They stand beside the task definition, never inside."""
    tags = [{"key": "team", "value": "orders"}]
    stage.ecs.register_task_definition(**definition(stage.role), tags=tags)
    assert stage.ecs.describe_task_definition(taskDefinition=NAME)["tags"] == []
    assert stage.ecs.describe_task_definition(taskDefinition=NAME, include=["TAGS"])["tags"] == tags


def test_sizes_in_words_are_kept_as_numbers(stage: Stage) -> None:
    """0.5 vCPU is 512 and 1 GB is 1024."""
    made = stage.ecs.register_task_definition(**definition(stage.role) | {"cpu": "0.5 vCPU", "memory": "1 GB"})
    assert (made["taskDefinition"]["cpu"], made["taskDefinition"]["memory"]) == ("512", "1024")


@given(st.sampled_from(sorted(fargate.SIZES)), st.integers(1, 250))
def test_fargate_takes_exactly_the_pairs_of_its_table(cpu: int, gigabytes: int) -> None:
    """Every other memory is refused."""
    task = {"networkMode": "awsvpc", "cpu": str(cpu), "memory": str(gigabytes * 1024), "containerDefinitions": []}
    if gigabytes * 1024 in fargate.SIZES[cpu]:
        fargate.check(task)
    else:
        with pytest.raises(AwsError, match="No Fargate configuration exists for given values"):
            fargate.check(task)


def test_revisions_are_listed_newest_first_on_demand(stage: Stage) -> None:
    """A deregistered one is INACTIVE, starts nothing, and can be deleted."""
    second = stage.define()
    listed = stage.ecs.list_task_definitions(familyPrefix=NAME, sort="DESC")["taskDefinitionArns"]
    assert [arn.rpartition("/")[2] for arn in listed] == [f"{NAME}:2", f"{NAME}:1"]
    stage.ecs.deregister_task_definition(taskDefinition=second)
    assert refusal(stage.ecs.create_service, **stage.service(taskDefinition=second)) == (
        "ClientException",
        "TaskDefinition is inactive",
    )
    assert stage.ecs.delete_task_definitions(taskDefinitions=[second])["failures"] == []
    assert refusal(stage.ecs.describe_task_definition, taskDefinition=second)[0] == "ClientException"
    assert stage.define().endswith(":3")


def test_an_active_revision_is_not_deleted(stage: Stage) -> None:
    """It has to be deregistered first."""
    failures = stage.ecs.delete_task_definitions(taskDefinitions=[f"{NAME}:1"])["failures"]
    assert "still in ACTIVE status" in failures[0]["reason"]


def test_a_definition_from_a_file_is_checked_against_the_shape(stage: Stage) -> None:
    """A key that RegisterTaskDefinition does not know is named."""
    with pytest.raises(AwsError, match='Unknown parameter in input: "revision"'):
        ecs.register_task_definition(stage.world, {**definition(stage.role), "revision": 3})


# ---- clusters


def test_a_cluster_is_made_once_and_deleted_when_empty(stage: Stage) -> None:
    """Making it twice makes one; a deleted one is shown as INACTIVE."""
    again = stage.ecs.create_cluster(clusterName=NAME)["cluster"]
    assert stage.ecs.list_clusters()["clusterArns"] == [again["clusterArn"]]
    assert stage.ecs.delete_cluster(cluster=NAME)["cluster"]["status"] == "INACTIVE"
    assert stage.ecs.describe_clusters(clusters=[NAME])["clusters"][0]["status"] == "INACTIVE"
    missing = stage.ecs.describe_clusters(clusters=["nobody"])["failures"]
    assert [one["reason"] for one in missing] == ["MISSING"]


def test_a_cluster_with_tasks_that_still_stop_is_not_deleted(stage: Stage) -> None:
    """The services are gone before their tasks are."""
    stage.serve()
    stage.settle()
    stage.ecs.delete_service(cluster=NAME, service=NAME, force=True)
    assert refusal(stage.ecs.delete_cluster, cluster=NAME)[0] == "ClusterContainsTasksException"
    stage.settle()
    assert stage.ecs.delete_cluster(cluster=NAME)["cluster"]["status"] == "INACTIVE"


def test_the_first_use_makes_the_role_and_fails_meanwhile() -> None:
    """A new account refuses the first call until its service-linked role has spread."""
    world = World(Settings())
    made = world.client("ecs").create_cluster
    assert refusal(made, clusterName=NAME) == (
        "InvalidParameterException",
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
    )
    world.run_until(world.now + world.settings.role_propagation)
    assert made(clusterName=NAME)["cluster"]["status"] == "ACTIVE"


# ---- services


def test_a_service_under_codedeploy_begins_with_a_primary_task_set(stage: Stage) -> None:
    """Its deployments are always empty."""
    made = stage.ecs.create_service(**stage.service(healthCheckGracePeriodSeconds=30))["service"]
    assert made["deployments"] == []
    assert [one["status"] for one in made["taskSets"]] == ["PRIMARY"]
    assert made["healthCheckGracePeriodSeconds"] == 30


def test_a_role_that_ecs_may_not_assume_is_refused(stage: Stage) -> None:
    """A new role is not accepted for some seconds, a missing one never."""
    stage = fresh(realism=True, whole=True)
    late = make_role(stage.world, "late")
    params = definition(late) | {"family": "late"}
    stage.ecs.register_task_definition(**params)
    code, message = refusal(stage.ecs.create_service, **stage.service(taskDefinition="late"))
    assert code == "ClientException"
    assert f"ECS was unable to assume the role '{late}'" in message
    stage.wait(stage.world.settings.role_propagation)
    assert stage.serve(taskDefinition="late").endswith(f"service/{NAME}/{NAME}")


def test_a_deleted_service_drains_and_is_inactive(stage: Stage) -> None:
    """Its name is free again when its last task has stopped."""
    stage.serve()
    stage.settle()
    assert stage.ecs.delete_service(cluster=NAME, service=NAME, force=True)["service"]["status"] == "DRAINING"
    assert (
        refusal(stage.ecs.create_service, **stage.service())[1] == "Unable to Start a service that is still Draining."
    )
    stage.settle()
    assert stage.shown()["status"] == "INACTIVE"
    assert stage.ecs.list_services(cluster=NAME)["serviceArns"] == []
    assert stage.serve()


def test_a_deleted_service_is_shown_for_an_hour(stage: Stage) -> None:
    """Afterwards it is as if it had never been."""
    stage.serve(desiredCount=0)
    stage.ecs.delete_service(cluster=NAME, service=NAME)
    stage.wait(3601)
    assert stage.ecs.describe_services(cluster=NAME, services=[NAME])["failures"][0]["reason"] == "MISSING"


def test_services_are_listed_ten_a_page(stage: Stage) -> None:
    """A token leads to the rest."""
    for number in range(11):
        stage.serve(name=f"s{number}", desiredCount=0)
    pages = stage.ecs.get_paginator("list_services").paginate(cluster=NAME)
    assert [len(page["serviceArns"]) for page in pages] == [10, 1]


def test_tags_of_a_service_reach_its_tasks_on_demand(stage: Stage) -> None:
    """propagateTags decides, and the managed tags name cluster and service."""
    stage.serve(tags=[{"key": "team", "value": "a"}], propagateTags="SERVICE", enableECSManagedTags=True)
    arn = stage.ecs.list_tasks(cluster=NAME)["taskArns"][0]
    tags = stage.ecs.describe_tasks(cluster=NAME, tasks=[arn], include=["TAGS"])["tasks"][0]["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "team": "a",
        "aws:ecs:clusterName": NAME,
        "aws:ecs:serviceName": NAME,
    }


def test_account_settings_fall_back_to_the_default(stage: Stage) -> None:
    """What a principal has set holds until it is deleted."""
    stage.ecs.put_account_setting(name="containerInsights", value="enabled")
    assert stage.ecs.list_account_settings(name="containerInsights")["settings"][0]["value"] == "enabled"
    assert stage.ecs.delete_account_setting(name="containerInsights")["setting"]["value"] == "disabled"
