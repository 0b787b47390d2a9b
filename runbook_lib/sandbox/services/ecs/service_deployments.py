"""ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions and StopServiceDeployment.

Source: ECS API reference. They are of the ECS controller and its rolling strategy; the traffic weights and lifecycle
stages of ECS-native blue/green deployments are not simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.ecs import lookup, rolling, scheduler, service_view
from runbook_lib.sandbox.services.ecs.store import Revision, Rollout, Service, TaskSet, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 20  # ARNs in one call; ECS API reference
STOPPED_BY_HAND = "Service deployment rolled back because of StopServiceDeployment."


def list_all(call: Call) -> dict[str, Any]:
    """ListServiceDeployments of a service, newest first."""
    world, told = call.world, call.params
    service = _rolling(lookup.service(world, told.get("cluster"), told["service"]))
    wanted, window = told.get("status"), told.get("createdAt", {})
    found = [
        one
        for one in reversed(store(world).rollouts.values())
        if one.service == service.arn and (not wanted or one.status in wanted) and _within(world, one, window)
    ]
    return lookup.page([_brief(world, one) for one in found], told, "serviceDeployments", size=MOST)


def _rolling(service: Service) -> Service:
    if service.controller != "ECS":
        raise not_simulated(f"ecs: service deployments of a service with the {service.controller} controller")
    return service


def _within(world: World, one: Rollout, window: Mapping[str, Any]) -> bool:
    created = world.datetime(one.created)
    return created >= window.get("after", created) and created <= window.get("before", created)


def _brief(world: World, one: Rollout) -> dict[str, Any]:
    finished = {} if one.finished is None else {"finishedAt": world.datetime(one.finished)}
    return {
        "serviceDeploymentArn": one.arn,
        "serviceArn": one.service,
        "clusterArn": store(world).services[one.service].cluster,
        "createdAt": world.datetime(one.created),
        "startedAt": world.datetime(one.created),
        **finished,
        "targetServiceRevisionArn": one.target,
        "status": one.status,
        **({"statusReason": one.reason} if one.reason else {}),
    }


def describe(call: Call) -> dict[str, Any]:
    """DescribeServiceDeployments by their ARNs; those that are not there are failures."""
    arns, known = _asked(call, "serviceDeploymentArns"), store(call.world).rollouts
    return {
        "serviceDeployments": [_shown(call.world, known[arn]) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    }


def _asked(call: Call, key: str) -> list[str]:
    arns: list[str] = call.params[key]
    if len(arns) > MOST:
        raise AwsError("InvalidParameterException", f"{key} can have at most {MOST} items.")
    return arns


def _shown(world: World, one: Rollout) -> dict[str, Any]:
    brief = _brief(world, one)
    del brief["targetServiceRevisionArn"]
    service = store(world).services[one.service]
    return {
        **brief,
        "updatedAt": world.datetime(one.updated),
        "sourceServiceRevisions": [service_view.revision_summary(world, service, arn) for arn in one.sources],
        "targetServiceRevision": service_view.revision_summary(world, service, one.target),
        "deploymentConfiguration": service_view.configuration(service),
        **_undo(world, one),
        "deploymentCircuitBreaker": _breaker(world, service, one),
    }


def _undo(world: World, one: Rollout) -> dict[str, Any]:
    if one.rollback is None:
        return {}
    reason, at, revision = one.rollback
    return {"rollback": {"reason": reason, "startedAt": world.datetime(at), "serviceRevisionArn": revision}}


def _breaker(world: World, service: Service, one: Rollout) -> dict[str, Any]:
    target = store(world).service_revisions[one.target].task_set.id
    made = store(world).task_sets.get(target)
    threshold = rolling.threshold(service)
    if not service.circuit_breaker.get("enable"):
        return {"status": "DISABLED", "failureCount": 0, "threshold": threshold}
    status = "TRIGGERED" if one.rollback else "MONITORING" if one.finished is None else "MONITORING_COMPLETE"
    return {"status": status, "failureCount": made.failed_tasks if made else 0, "threshold": threshold}


def describe_revisions(call: Call) -> dict[str, Any]:
    """DescribeServiceRevisions by their ARNs."""
    arns, known = _asked(call, "serviceRevisionArns"), store(call.world).service_revisions
    return {
        "serviceRevisions": [_revision(call.world, known[arn]) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    }


def _revision(world: World, one: Revision) -> dict[str, Any]:
    service = store(world).services[one.task_set.service]
    return {
        "serviceRevisionArn": one.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster,
        "taskDefinition": one.task_set.task_definition,
        "launchType": one.launch_type,
        **service_view.platform(one.task_set),
        "loadBalancers": service_view.bindings(one.task_set.bindings),
        "serviceRegistries": [],
        **service_view.network(one.task_set.network),
        "containerImages": _images(world, one.task_set),
        "guardDutyEnabled": False,
        "createdAt": world.datetime(one.task_set.created),
    }


def _images(world: World, task_set: TaskSet) -> list[dict[str, str]]:
    """The images by container, with the digest once a task of the revision has pulled them."""
    now = store(world).task_sets.get(task_set.id, task_set)
    definition = store(world).task_definitions[task_set.task_definition]
    return [
        {"containerName": one["name"], "image": one["image"], **_digest(now.pinned.get(one["name"], ""))}
        for one in definition["containerDefinitions"]
    ]


def _digest(pinned: str) -> dict[str, str]:
    return {"imageDigest": pinned.partition("@")[2]} if "@" in pinned else {}


def stop(call: Call) -> dict[str, Any]:
    """StopServiceDeployment: the last revision that was deployed well comes back."""
    world, arn = call.world, call.params["serviceDeploymentArn"]
    known = store(world).rollouts.get(arn)
    if known is None:
        raise AwsError("ServiceDeploymentNotFoundException", "The service deployment cannot be found.")
    service = store(world).services[known.service]
    if known.status != "IN_PROGRESS":
        raise AwsError("ConflictException", f"The service deployment is {known.status} and cannot be stopped.")
    if call.params.get("stopType", "ROLLBACK") != "ROLLBACK" or service.last_good is None:
        raise not_simulated("ecs: stopping a service deployment without going back to a former revision")
    rolling.roll_back(world, service, service.last_good, STOPPED_BY_HAND)
    store(world).rollouts[arn] = replace(store(world).rollouts[arn], status="ROLLBACK_REQUESTED")
    scheduler.reconcile(world, service.arn)
    return {"serviceDeploymentArn": arn}


OPERATIONS = {
    "ListServiceDeployments": list_all,
    "DescribeServiceDeployments": describe,
    "DescribeServiceRevisions": describe_revisions,
    "StopServiceDeployment": stop,
}
