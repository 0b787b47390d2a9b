"""Reading services, and the task sets of those under CodeDeploy.

Sources: ECS API reference, DescribeServices, ListServices and DescribeTaskSets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import lookup, service_view
from runbook_lib.sandbox.services.ecs.store import KEPT, Service, sets_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 10


def describe(call: Call) -> dict[str, Any]:
    """DescribeServices; one that does not exist is a failure with the reason MISSING."""
    world, params = call.world, call.params
    cluster, names = lookup.cluster(world, params.get("cluster")), params["services"]
    if not 1 <= len(names) <= BATCH:
        raise AwsError("InvalidParameterException", f"Services must have 1 to {BATCH} items; they have {len(names)}.")
    found = {name: _shown(world, cluster.arn, name) for name in names}
    missing = [
        world.arn("ecs", f"service/{cluster.name}/{lookup.tail(n, 'service')}") for n, one in found.items() if not one
    ]
    return {
        "services": [service_view.described(world, one, params.get("include", ())) for one in found.values() if one],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in missing],
    }


def _shown(world: World, cluster: str, name: str) -> Service | None:
    found = lookup.find_service(world, cluster, name)
    forgotten = found is not None and found.closed_at is not None and found.closed_at < world.now - KEPT
    return None if forgotten else found


def list_(call: Call) -> dict[str, Any]:
    """ListServices of a cluster, ten a page unless asked otherwise."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    wanted = {"launch_type": params.get("launchType"), "scheduling": params.get("schedulingStrategy")}
    arns = [
        one.arn
        for one in store(world).services.values()
        if one.cluster == cluster.arn
        and one.status != "INACTIVE"
        and all(value in (None, getattr(one, name)) for name, value in wanted.items())
    ]
    return lookup.page(arns, params, "serviceArns", size=10)


def describe_task_sets(call: Call) -> dict[str, Any]:
    """DescribeTaskSets, all of a service or those that are named."""
    world, params = call.world, call.params
    service = lookup.service(world, params["cluster"], params["service"])
    if service.controller == "ECS":
        raise AwsError(
            "InvalidParameterException",
            "Amazon ECS only supports task set management on services with the CODE_DEPLOY or EXTERNAL deployment "
            "controllers.",
        )
    known = {one.id: one for one in sets_of(world, service.arn)}
    names = [
        lookup.tail(name, f"task-set/{service.arn.partition(':service/')[2]}") for name in params.get("taskSets", known)
    ]
    missing = [name for name in names if name.lstrip("/") not in known]
    include = params.get("include", ())
    found = [known[name.lstrip("/")] for name in names if name not in missing]
    return {
        "taskSets": [service_view.described_set(world, one, include) for one in found],
        "failures": [{"arn": name, "reason": "MISSING"} for name in missing],
    }


def refuse_task_set(call: Call) -> NoReturn:
    """CreateTaskSet, UpdateTaskSet, DeleteTaskSet and UpdateServicePrimaryTaskSet: CodeDeploy's own on its services."""
    service = lookup.service(call.world, call.params["cluster"], call.params["service"])
    raise AwsError(
        "InvalidParameterException",
        "Amazon ECS only supports task set management on services with the EXTERNAL deployment controller; "
        f"the service {service.name} has {service.controller}.",
    )


OPERATIONS = {
    "DescribeServices": describe,
    "ListServices": list_,
    "DescribeTaskSets": describe_task_sets,
    "CreateTaskSet": refuse_task_set,
    "UpdateTaskSet": refuse_task_set,
    "DeleteTaskSet": refuse_task_set,
    "UpdateServicePrimaryTaskSet": refuse_task_set,
}
