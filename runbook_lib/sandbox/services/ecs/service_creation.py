"""CreateService and DeleteService.

Sources: ECS API reference, CreateService and DeleteService; ECS developer guide, deployment-type-bluegreen (a service
under CodeDeploy begins with a primary task set).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import (
    clusters,
    history,
    lookup,
    notices,
    rolling,
    scheduler,
    service_rules,
    service_view,
    tags,
)
from runbook_lib.sandbox.services.ecs.store import (
    Cluster,
    Service,
    TaskSet,
    change_service,
    change_set,
    put,
    sets_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
# What is kept and answered, and changes nothing else in the sandbox; with its default.
OPTIONS: Mapping[str, Any] = {
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "enableExecuteCommand": False,
    "availabilityZoneRebalancing": "DISABLED",
}
PERCENTS = {"REPLICA": (100, 200), "DAEMON": (0, 100)}


def create(call: Call) -> dict[str, Any]:
    """CreateService."""
    world, params = call.world, call.params
    cluster = lookup.cluster(world, params.get("cluster"))
    arn = _free_arn(world, cluster, params["serviceName"])
    clusters.require_linked_role(world)
    service, first = _made(call, cluster, arn)
    known_tags = tags.read(params.get("tags", ()))
    store(world).events.pop(arn, None)
    tags.keep(world, arn, known_tags)
    put(world, service)
    put(world, first)
    history.opened(world, service, (), first)
    answer = service_view.described(world, service, ("TAGS",))
    notices.deployment_changed(world, service, first, "IN_PROGRESS")
    scheduler.reconcile(world, arn)
    return {"service": answer}


def _free_arn(world: World, cluster: Cluster, name: str) -> str:
    if not NAME.fullmatch(name):
        raise AwsError("InvalidParameterException", "Service names can have at most 255 letters, digits, _ and -.")
    existing = lookup.find_service(world, cluster.arn, name)
    if existing and existing.status == "ACTIVE":
        raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
    if existing and existing.status == "DRAINING":
        raise AwsError("InvalidParameterException", "Unable to Start a service that is still Draining.")
    return world.arn("ecs", f"service/{cluster.name}/{name}")


def _made(call: Call, cluster: Cluster, arn: str) -> tuple[Service, TaskSet]:
    world, params = call.world, call.params
    controller = service_rules.controller(params)
    if not params.get("taskDefinition"):
        raise AwsError("InvalidParameterException", "TaskDefinition cannot be blank.")
    definition = lookup.startable_definition(world, params["taskDefinition"])
    kind = service_rules.launch_type(params, definition)
    wanted = rolling.Wanted(
        task_definition=definition["taskDefinitionArn"],
        bindings=service_rules.bindings(world, params, definition),
        network=service_rules.network(world, params, definition),
        platform_version=service_rules.platform_version(params, kind),
        capacity=tuple(params.get("capacityProviderStrategy", ())),
    )
    service_rules.check_roles(world, definition)
    scheduling, configuration = params.get("schedulingStrategy", "REPLICA"), params.get("deploymentConfiguration", {})
    least, most = percents(configuration, PERCENTS[scheduling])
    service = Service(
        arn=arn,
        name=params["serviceName"],
        cluster=cluster.arn,
        status="ACTIVE",
        controller=controller,
        desired=service_rules.desired_count(params),
        primary="",
        created=world.now,
        created_by=call.caller,
        grace=service_rules.grace(params, bool(wanted.bindings)),
        launch_type=kind,
        scheduling=scheduling,
        minimum_percent=least,
        maximum_percent=most,
        circuit_breaker=configuration.get("deploymentCircuitBreaker", {}),
        options={name: params.get(name, default) for name, default in OPTIONS.items()},
        rolled="IN_PROGRESS",
    )
    first = rolling.fresh(world, service, wanted)
    return replace(service, primary=first.id), first


def percents(given: Mapping[str, Any], known: tuple[int, int]) -> tuple[int, int]:
    """The least and the most of the desired count that run during a deployment, in percent."""
    least, most = given.get("minimumHealthyPercent", known[0]), given.get("maximumPercent", known[1])
    if least < 0 or most < 0 or (least >= 100 and most <= 100):
        raise AwsError(
            "InvalidParameterException",
            "Invalid deployment configuration: minimumHealthyPercent and maximumPercent leave no room for a "
            f"deployment; they are {least} and {most}.",
        )
    return least, most


def delete(call: Call) -> dict[str, Any]:
    """DeleteService: its tasks drain and stop, then it is INACTIVE; with tasks wanted only by force."""
    world = call.world
    found = lookup.service(world, call.params.get("cluster"), call.params["service"])
    if found.desired > 0 and not call.params.get("force"):
        raise AwsError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
    found = change_service(world, found.arn, status="DRAINING")
    for task_set in sets_of(world, found.arn):
        change_set(world, task_set.id, status="DRAINING")
    answer = service_view.described(world, found)
    scheduler.reconcile(world, found.arn)
    return {"service": answer}


OPERATIONS = {"CreateService": create, "DeleteService": delete}
