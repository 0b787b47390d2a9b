"""Services as the API describes them: with deployments under the ECS controller, with task sets under CODE_DEPLOY.

Source: ECS API reference, Service, Deployment and TaskSet; a service shows what its primary task set holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs import history, scheduler, tags
from runbook_lib.sandbox.services.ecs.store import (
    Binding,
    Network,
    Service,
    Task,
    TaskSet,
    primary_set,
    sets_of,
    store,
    tasks_of,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def described(world: World, service: Service, include: Sequence[str] = ()) -> dict[str, Any]:
    """A service as DescribeServices shows it."""
    primary, tasks = primary_set(world, service), tasks_of(world, service=service.arn)
    answer: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster,
        "status": service.status,
        "desiredCount": service.desired if service.status == "ACTIVE" else 0,
        **_counts(tasks),
        **capacity(service, primary),
        **platform(primary),
        "taskDefinition": primary.task_definition,
        "deploymentController": {"type": service.controller},
        "deploymentConfiguration": configuration(service),
        "deployments": [],
        "loadBalancers": bindings(primary.bindings),
        "serviceRegistries": [],
        "events": [_event(world, event) for event in store(world).events.get(service.arn, ())],
        "schedulingStrategy": service.scheduling,
        "createdAt": world.datetime(service.created),
        "createdBy": service.created_by,
        "roleArn": world.arn("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", regional=False),
        "placementConstraints": [],
        "placementStrategy": [],
        **network(primary.network),
        **service.options,
    }
    if service.grace is not None:
        answer["healthCheckGracePeriodSeconds"] = service.grace
    if "TAGS" in include:
        answer["tags"] = tags.of(world, service.arn)
    return answer | _sets(world, service)


def _sets(world: World, service: Service) -> dict[str, Any]:
    found = () if service.status == "INACTIVE" else sets_of(world, service.arn)
    if service.controller == "CODE_DEPLOY":
        return {"taskSets": [described_set(world, one) for one in found]}
    return {"deployments": [_deployment(world, service, one) for one in found], **_current(world, service, found)}


def _current(world: World, service: Service, found: Sequence[TaskSet]) -> dict[str, Any]:
    """The newest service deployment, and the revisions that have tasks."""
    newest = history.current(world, service.arn)
    if newest is None or not found:
        return {}
    arns = dict.fromkeys(store(world).revision_of[one.id] for one in found)
    return {
        "currentServiceDeployment": newest.arn,
        "currentServiceRevisions": [revision_summary(world, service, arn) for arn in arns],
    }


def revision_summary(world: World, service: Service, arn: str) -> dict[str, Any]:
    """A revision with its tasks."""
    sets = [set_id for set_id, revision in store(world).revision_of.items() if revision == arn]
    tasks = [task for set_id in sets for task in tasks_of(world, task_set=set_id)]
    return {
        "arn": arn,
        "requestedTaskCount": service.desired if service.primary in sets else sum(task.live for task in tasks),
        "runningTaskCount": sum(task.counts_as_running for task in tasks),
        "pendingTaskCount": sum(task.counts_as_pending for task in tasks),
    }


def configuration(service: Service) -> dict[str, Any]:
    """How a service is deployed."""
    percents = {"maximumPercent": service.maximum_percent, "minimumHealthyPercent": service.minimum_percent}
    if service.controller == "CODE_DEPLOY":
        return percents
    breaker = {"enable": False, "rollback": False, **service.circuit_breaker}
    return {"deploymentCircuitBreaker": breaker, **percents, "strategy": "ROLLING"}


def _counts(tasks: Sequence[Task]) -> dict[str, int]:
    return {
        "runningCount": sum(task.counts_as_running for task in tasks),
        "pendingCount": sum(task.counts_as_pending for task in tasks),
    }


def platform(task_set: TaskSet) -> dict[str, str]:
    """The platform of a task set, none where it has none."""
    if not task_set.platform_version:
        return {}
    return {"platformVersion": task_set.platform_version, "platformFamily": "Linux"}


def network(found: Network | None) -> dict[str, Any]:
    """Where tasks get their interfaces, in the words of the API."""
    if found is None:
        return {}
    configuration = {
        "subnets": list(found.subnets),
        "securityGroups": list(found.security_groups),
        "assignPublicIp": "ENABLED" if found.public_ip else "DISABLED",
    }
    return {"networkConfiguration": {"awsvpcConfiguration": configuration}}


def bindings(found: Sequence[Binding]) -> list[dict[str, Any]]:
    """Load balancers as the API lists them."""
    return [
        {"targetGroupArn": one.target_group, "containerName": one.container, "containerPort": one.port} for one in found
    ]


def _event(world: World, event: Any) -> dict[str, Any]:
    return {"id": event.id, "createdAt": world.datetime(event.at), "message": event.message}


def capacity(service: Service, task_set: TaskSet) -> dict[str, Any]:
    """Where the tasks of a set run: a launch type, or capacity providers in its place (ECS API reference, Service)."""
    if task_set.capacity:
        return {"capacityProviderStrategy": [{"weight": 0, "base": 0, **one} for one in task_set.capacity]}
    return {"launchType": service.launch_type}


def described_set(world: World, task_set: TaskSet, include: Sequence[str] = ()) -> dict[str, Any]:
    """A task set as DescribeTaskSets shows it."""
    service = store(world).services[task_set.service]
    cluster = service.cluster.rpartition("/")[2]
    answer: dict[str, Any] = {
        "id": task_set.id,
        "taskSetArn": world.arn("ecs", f"task-set/{cluster}/{service.name}/{task_set.id}"),
        "serviceArn": service.arn,
        "clusterArn": service.cluster,
        "status": task_set.status,
        "taskDefinition": task_set.task_definition,
        "computedDesiredCount": scheduler.wanted(service, task_set),
        **_counts(tasks_of(world, task_set=task_set.id)),
        "createdAt": world.datetime(task_set.created),
        "updatedAt": world.datetime(task_set.updated),
        **capacity(service, task_set),
        **platform(task_set),
        **network(task_set.network),
        "loadBalancers": bindings(task_set.bindings),
        "serviceRegistries": [],
        "scale": {"value": task_set.scale, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if task_set.steady else "STABILIZING",
        "stabilityStatusAt": world.datetime(task_set.steady_changed),
        "tags": tags.of(world, task_set.id) if "TAGS" in include else [],
    }
    optional: Mapping[str, str | None] = {"externalId": task_set.external_id, "startedBy": task_set.started_by}
    return answer | {key: value for key, value in optional.items() if value is not None}


def _deployment(world: World, service: Service, task_set: TaskSet) -> dict[str, Any]:
    tasks = tasks_of(world, task_set=task_set.id)
    is_primary = task_set.id == service.primary and service.status == "ACTIVE"
    return {
        "id": task_set.id,
        "status": task_set.status,
        "taskDefinition": task_set.task_definition,
        "desiredCount": service.desired if is_primary else sum(task.live for task in tasks),
        **_counts(tasks),
        "failedTasks": task_set.failed_tasks,
        "createdAt": world.datetime(task_set.created),
        "updatedAt": world.datetime(task_set.updated),
        **capacity(service, task_set),
        **platform(task_set),
        **network(task_set.network),
        "rolloutState": task_set.rollout,
        "rolloutStateReason": task_set.rollout_reason,
    }
