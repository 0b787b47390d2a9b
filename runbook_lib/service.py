"""The ECS services: the rolling one that the reader starts from and the one behind CodeDeploy; tasks and task sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.account import Account
from runbook_lib.check import Check, ask
from runbook_lib.inventory import Item
from runbook_lib.network import task_groups, task_subnet_refs
from runbook_lib.planning import make
from runbook_lib.step import Made, Ref, Step, Until
from runbook_lib.system import System, tag_list
from runbook_lib.target_group import group_ref


@dataclass(frozen=True)
class TaskSet:
    """A task set of a CODE_DEPLOY service; `role` is PRIMARY (live), ACTIVE or DRAINING."""

    id: str
    role: str
    revision: str  # family:revision
    target_group: str  # name
    desired: int
    running: int
    steady: bool
    deployment: str | None  # the CodeDeploy deployment that made it, None for the first one


@dataclass(frozen=True)
class Event:
    """What the service says about itself."""

    at: datetime
    message: str


@dataclass(frozen=True)
class Service:
    """An ECS service as it is."""

    name: str
    arn: str
    status: str
    controller: str
    desired: int
    running: int
    revision: str
    rollout: str | None  # of the newest rolling deployment; None on a CODE_DEPLOY service
    task_sets: tuple[TaskSet, ...]
    events: tuple[Event, ...]  # newest first
    subnets: tuple[str, ...] = ()  # ids of those in which its tasks start

    @property
    def primary(self) -> TaskSet | None:
        """The live task set, None on a service with rolling deployments."""
        return next((task_set for task_set in self.task_sets if task_set.role == "PRIMARY"), None)

    @property
    def live(self) -> str:
        """The revision that serves: of the live task set, else of the rolling service itself."""
        return self.primary.revision if self.primary else self.revision

    @property
    def candidate(self) -> TaskSet | None:
        """The task set that is not live yet, None outside a deployment."""
        return next((task_set for task_set in self.task_sets if task_set.role == "ACTIVE"), None)

    @property
    def left_over(self) -> tuple[TaskSet, ...]:
        """Task sets that run beside the live one: green in a deployment, and what a stop without rollback leaves."""
        return tuple(one for one in self.task_sets if one.role == "ACTIVE")

    @property
    def settled(self) -> bool:
        """Whether it runs what it should and nothing is under way.

        Not boto3's services_stable: that one never succeeds on a CODE_DEPLOY service, whose deployments are empty.
        """
        if self.controller == "CODE_DEPLOY":
            sets = self.task_sets
            return len(sets) == 1 and sets[0].steady and sets[0].running == self.desired
        return self.rollout == "COMPLETED" and self.running == self.desired


def short(arn: str) -> str:
    """What stands behind the last slash of an ARN: family:revision of a task definition."""
    return arn.rpartition("/")[2]


def group_name(arn: str) -> str:
    """The name of a target group in its ARN."""
    return arn.partition("targetgroup/")[2].partition("/")[0]


def read_cluster(account: Account, system: System) -> str | None:
    """The ARN of the cluster, None while it does not exist or once it is deleted."""
    found = account.client("ecs").describe_clusters(clusters=[system.cluster])["clusters"]
    return next((cluster["clusterArn"] for cluster in found if cluster["status"] == "ACTIVE"), None)


def read_service(account: Account, system: System, name: str) -> Service | None:
    """A service by its name, None while it does not exist or once it is deleted."""
    if read_cluster(account, system) is None:
        return None
    answer = account.client("ecs").describe_services(cluster=system.cluster, services=[name])
    found = [service for service in answer["services"] if service["status"] != "INACTIVE"]
    return _service(found[0]) if found else None


def read_task_definition(account: Account, revision: str) -> dict[str, Any]:
    """What describe_task_definition answers for a revision, tags included."""
    return account.client("ecs").describe_task_definition(taskDefinition=revision, include=["TAGS"])


def read_revisions(account: Account, system: System) -> tuple[str, ...]:
    """The active revisions of the family, newest first."""
    pages = (
        account.client("ecs").get_paginator("list_task_definitions").paginate(familyPrefix=system.family, sort="DESC")
    )
    arns = [short(arn) for page in pages for arn in page["taskDefinitionArns"]]
    return tuple(revision for revision in arns if revision.rpartition(":")[0] == system.family)


@dataclass(frozen=True)
class StoppedTask:
    """A task that stopped, with its reasons; ECS shows it for an hour."""

    id: str
    revision: str
    code: str
    reason: str
    exit_codes: tuple[int, ...]
    at: datetime | None = None  # when it stopped; None while it is still stopping
    task_set: str = ""  # the id of the task set that started it

    @property
    def failed(self) -> bool:
        """Whether it did not stop because somebody wanted fewer tasks: it never started, it ended, or was unhealthy.

        ECS developer guide, stopped-task-error-codes.  The scheduler's own stops say which check was failed.
        """
        if self.code in ("TaskFailedToStart", "EssentialContainerExited"):
            return True
        return self.code == "ServiceSchedulerInitiated" and "health checks" in self.reason


def read_stopped_tasks(account: Account, system: System, service: str) -> tuple[StoppedTask, ...]:
    """The tasks of a service that stopped within the last hour."""
    return describe_stopped(account, system, list_stopped(account, system, service))


def list_stopped(account: Account, system: System, service: str) -> tuple[str, ...]:
    """The ARNs of a service's tasks that stopped within the last hour: one call, at most a hundred tasks."""
    ecs = account.client("ecs")
    arns = ecs.list_tasks(cluster=system.cluster, serviceName=service, desiredStatus="STOPPED")["taskArns"]
    return tuple(arns[:100])


def describe_stopped(account: Account, system: System, arns: Iterable[str]) -> tuple[StoppedTask, ...]:
    """Stopped tasks with their reasons; those that ECS has forgotten meanwhile are left out."""
    tasks = list(arns)
    found = account.client("ecs").describe_tasks(cluster=system.cluster, tasks=tasks)["tasks"] if tasks else []
    return tuple(_stopped(task) for task in found)


def plan_task_definition(system: System, revisions: tuple[str, ...], image: str, items: Iterable[Item]) -> Step:
    """The step that registers the first revision, with the image by its digest."""
    newest = [{"taskDefinition": {"taskDefinitionArn": system.arn("ecs", f"task-definition/{r}")}} for r in revisions]
    return make(
        "service.revision",
        "Register the first task definition",
        "ecs:register_task_definition",
        _definition(system, image),
        made=Made("ecs:family", system.family),
        found=newest[0] if newest else None,
        items=items,
    )


def plan_cluster(system: System, cluster: str | None, items: Iterable[Item]) -> Step:
    """The step that makes the cluster."""
    return make(
        "service.cluster",
        "Make the cluster",
        "ecs:create_cluster",
        {"clusterName": system.cluster, "tags": tag_list(system.tags, key="key", value="value")},
        made=Made("ecs:cluster", system.cluster),
        found={"cluster": {"clusterArn": cluster}} if cluster else None,
        items=items,
    )


def plan_rolling_service(system: System, service: Service | None, items: Iterable[Item]) -> Step:
    """The step that makes the service with rolling deployments: the place where the reader starts."""
    arguments = _service_arguments(
        system,
        system.rolling_service,
        Ref("service.revision", "taskDefinition.taskDefinitionArn"),
        system.rolling_target_group,
    )
    rolling = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    return _make_service(
        system,
        service,
        items,
        "service.rolling",
        {**arguments, "deploymentController": {"type": "ECS"}, "deploymentConfiguration": rolling},
    )


def plan_blue_green_service(system: System, service: Service | None, rolling: Service, items: Iterable[Item]) -> Step:
    """The step that makes the service behind CodeDeploy: the live revision and count of the rolling one, a new name."""
    revision = system.arn("ecs", f"task-definition/{rolling.revision}")
    arguments = _service_arguments(system, system.service, revision, system.target_groups[0])
    controlled = {"deploymentController": {"type": "CODE_DEPLOY"}, "desiredCount": rolling.desired}
    return _make_service(system, service, items, "service.blue_green", {**arguments, **controlled})


def check_settled(service: Service | None, name: str) -> Check:
    """Does the service run what it should, with nothing under way?"""
    seen = "no such service"
    if service:
        seen = f"{service.running} of {service.desired} running, {service.rollout or 'task sets: ' + _roles(service)}"
    return ask(
        f"Does {name} run what it should, with nothing under way?",
        bool(service and service.settled),
        seen=seen,
        wanted="every wanted task running, nothing under way",
        remedy="read its events; wait, or stop what is under way"
        if service
        else "run the runbooks before this one, or correct name and region in the parameter file",
    )


def _roles(service: Service) -> str:
    return (
        ", ".join(f"{task_set.role} {task_set.running}/{task_set.desired}" for task_set in service.task_sets) or "none"
    )


def _definition(system: System, image: str) -> dict[str, Any]:
    log_options = {
        "awslogs-group": system.log_group,
        "awslogs-region": system.region,
        "awslogs-stream-prefix": system.container,
    }
    environment = [{"name": name, "value": value} for name, value in sorted(system.application.environment.items())]
    return {
        "family": system.family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": system.params.service.cpu,
        "memory": system.params.service.memory,
        "executionRoleArn": system.role_arn("execution"),
        "taskRoleArn": system.role_arn("task"),
        "containerDefinitions": [
            {
                "name": system.container,
                "image": image,
                "essential": True,
                "portMappings": [{"containerPort": system.port, "protocol": "tcp"}],
                "environment": environment,
                "logConfiguration": {"logDriver": "awslogs", "options": log_options},
            }
        ],
        "tags": tag_list(system.tags, key="key", value="value"),
    }


def _service_arguments(system: System, name: str, revision: str | Ref, target_group: str) -> dict[str, Any]:
    public = "ENABLED" if system.params.network.egress == "public_ip" else "DISABLED"
    return {
        "cluster": system.cluster,
        "serviceName": name,
        "taskDefinition": revision,
        "desiredCount": system.params.service.desired_count,
        "launchType": "FARGATE",
        "schedulingStrategy": "REPLICA",
        "healthCheckGracePeriodSeconds": system.params.service.grace_seconds,
        "loadBalancers": [
            {
                "targetGroupArn": group_ref(target_group),
                "containerName": system.container,
                "containerPort": system.port,
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": task_subnet_refs(system),
                "securityGroups": task_groups(system),
                "assignPublicIp": public,
            }
        },
        "tags": tag_list(system.tags, key="key", value="value"),
    }


def _make_service(
    system: System, service: Service | None, items: Iterable[Item], step: str, arguments: Mapping[str, Any]
) -> Step:
    name = arguments["serviceName"]
    return make(
        step,
        f"Make the service {name} ({arguments['deploymentController']['type']})",
        "ecs:create_service",
        arguments,
        made=Made("ecs:service", name),
        found={"service": {"serviceArn": service.arn}} if service else None,
        items=items,
        until=Until(f"{name} has settled", _Settled(system, name)),
    )


@dataclass(frozen=True)
class _Settled:
    """Says what a service still lacks; a value, so that plans stay comparable."""

    system: System
    name: str

    def __call__(self, account: Account, answer: Mapping[str, Any]) -> str | None:
        service = read_service(account, self.system, self.name)
        if service is None:
            return "it does not exist"
        return None if service.settled else f"{service.running} of {service.desired} running"


def _service(found: Mapping[str, Any]) -> Service:
    newest = next(iter(found.get("deployments", ())), None)
    return Service(
        name=found["serviceName"],
        arn=found["serviceArn"],
        status=found["status"],
        controller=found.get("deploymentController", {}).get("type", "ECS"),
        desired=found["desiredCount"],
        running=found["runningCount"],
        revision=short(found["taskDefinition"]),
        rollout=newest.get("rolloutState") if newest else None,
        task_sets=tuple(_task_set(task_set) for task_set in found.get("taskSets", ())),
        events=tuple(Event(event["createdAt"], event["message"]) for event in found.get("events", ())),
        subnets=tuple(_subnets(found)),
    )


def _subnets(found: Mapping[str, Any]) -> list[str]:
    """Behind CodeDeploy the network stands in the task sets, on a rolling service in the service."""
    places = [*(task_set for task_set in found.get("taskSets", ()) if task_set["status"] == "PRIMARY"), found]
    named = (place.get("networkConfiguration", {}).get("awsvpcConfiguration", {}).get("subnets") for place in places)
    return next((list(subnets) for subnets in named if subnets), [])


def _task_set(found: Mapping[str, Any]) -> TaskSet:
    groups = found.get("loadBalancers", ())
    return TaskSet(
        id=found["id"],
        role=found["status"],
        revision=short(found["taskDefinition"]),
        target_group=group_name(groups[0]["targetGroupArn"]) if groups else "",
        desired=found["computedDesiredCount"],
        running=found["runningCount"],
        steady=found["stabilityStatus"] == "STEADY_STATE",
        deployment=found.get("externalId"),
    )


def _stopped(task: Mapping[str, Any]) -> StoppedTask:
    codes = tuple(c["exitCode"] for c in task.get("containers", ()) if c.get("exitCode") is not None)
    reasons = [task.get("stoppedReason", ""), *(c.get("reason", "") for c in task.get("containers", ()))]
    return StoppedTask(
        id=short(task["taskArn"]),
        revision=short(task["taskDefinitionArn"]),
        code=task.get("stopCode", ""),
        reason="; ".join(reason for reason in reasons if reason),
        exit_codes=codes,
        at=task.get("stoppedAt"),
        task_set=task.get("startedBy", ""),
    )
