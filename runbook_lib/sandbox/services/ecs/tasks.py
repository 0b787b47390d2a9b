"""Listing, describing, running and stopping tasks.

Sources: ECS API reference, ListTasks, DescribeTasks, RunTask and StopTask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import launching, lookup, scheduler, service_rules, stopping, tags, task_view
from runbook_lib.sandbox.services.ecs.store import Cluster, Task, forget_old_tasks, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 100
MOST_RUN = 10
FILTERS: Mapping[str, Callable[[Task, str], bool]] = {
    "family": lambda task, wanted: task.task_definition_arn.rpartition("/")[2].rpartition(":")[0] == wanted,
    "startedBy": lambda task, wanted: task.started_by == wanted,
    "serviceName": lambda task, wanted: task.group == f"service:{lookup.tail(wanted, 'service').rpartition('/')[2]}",
    "launchType": lambda task, wanted: (wanted == "FARGATE") is bool(task.platform_version),
    "containerInstance": lambda task, wanted: False,
}


def list_(call: Call) -> dict[str, Any]:
    """ListTasks of a cluster: those meant to run, unless the stopped ones are asked for (kept for an hour)."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    if "serviceName" in params:
        _service_must_exist(world, cluster, params["serviceName"])
    forget_old_tasks(world)
    wanted = {"RUNNING": "RUNNING", "PENDING": "PENDING", "STOPPED": "STOPPED"}[params.get("desiredStatus", "RUNNING")]
    chosen = [(fits, params[key]) for key, fits in FILTERS.items() if key in params]
    found = [
        task.arn
        for task in store(world).tasks.values()
        if task.cluster == cluster.arn and task.desired == wanted and all(fits(task, value) for fits, value in chosen)
    ]
    return lookup.page(found, params, "taskArns")


def _service_must_exist(world: World, cluster: Cluster, name: str) -> None:
    if lookup.find_service(world, cluster.arn, name) is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")


def describe(call: Call) -> dict[str, Any]:
    """DescribeTasks; one that does not exist (any more) is a failure with the reason MISSING."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    if not 1 <= len(params["tasks"]) <= BATCH:
        raise AwsError("InvalidParameterException", f"Tasks must have 1 to {BATCH} items.")
    forget_old_tasks(world)
    arns = [_arn(world, cluster, name) for name in params["tasks"]]
    known, include = store(world).tasks, params.get("include", ())
    return {
        "tasks": [task_view.described(world, known[arn], include) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    }


def _arn(world: World, cluster: Cluster, name: str) -> str:
    identity = lookup.tail(name, "task").rpartition("/")[2]
    return world.arn("ecs", f"task/{cluster.name}/{identity}")


def run(call: Call) -> dict[str, Any]:
    """RunTask: tasks that belong to no service."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    definition = lookup.startable_definition(world, params["taskDefinition"])
    kind = service_rules.launch_type(params, definition)
    count = params.get("count", 1)
    if not 1 <= count <= MOST_RUN:
        raise AwsError("InvalidParameterException", f"count must be from 1 to {MOST_RUN}; it is {count}.")
    if kind != "FARGATE":
        raise AwsError("InvalidParameterException", "No Container Instances were found in your cluster.")
    service_rules.check_roles(world, definition)
    order = launching.Order(
        cluster=cluster.arn,
        definition=definition,
        group=params.get("group", f"family:{definition['family']}"),
        started_by=params.get("startedBy", ""),
        network=service_rules.network(world, params, definition),
        platform_version=service_rules.platform_version(params, kind),
        overrides=_overrides(params.get("overrides", {}), definition),
        tags=tags.read(params.get("tags", ())),
    )
    tasks = launching.launch(world, order, count)
    return {"tasks": [task_view.described(world, task, ("TAGS",)) for task in tasks], "failures": []}


def _overrides(given: Mapping[str, Any], definition: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {one["name"] for one in definition["containerDefinitions"]}
    for override in given.get("containerOverrides", ()):
        if override.get("name") not in names:
            message = f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            raise AwsError("InvalidParameterException", message)
    return given


def stop(call: Call) -> dict[str, Any]:
    """StopTask; the service that it belongs to starts another."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    task = store(world).tasks.get(_arn(world, cluster, params["task"]))
    if task is None:
        raise AwsError("InvalidParameterException", "The referenced task was not found.")
    stopping.stop(world, [task], code="UserInitiated", reason=params.get("reason", "Task stopped by user"))
    scheduler.reconcile_of(world, [task])
    return {"task": task_view.described(world, store(world).tasks[task.arn])}


OPERATIONS = {"ListTasks": list_, "DescribeTasks": describe, "RunTask": run, "StopTask": stop}
