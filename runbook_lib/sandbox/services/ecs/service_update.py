"""UpdateService: the count, and with the ECS controller a new rolling deployment.

Sources: ECS API reference, UpdateService (what may change under the CODE_DEPLOY controller); ECS developer guide,
update-service-parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.ecs import (
    definitions,
    history,
    lookup,
    rolling,
    scheduler,
    service_rules,
    service_view,
)
from runbook_lib.sandbox.services.ecs.service_creation import OPTIONS, percents
from runbook_lib.sandbox.services.ecs.store import Service, change_service, sets_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

ELSEWHERE = "on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."
# Checked in this order: the first one that stands in a call is refused.
CODEDEPLOYS_OWN = {
    "taskDefinition": f"Unable to update task definition {ELSEWHERE}",
    "loadBalancers": f"Unable to update load balancers {ELSEWHERE}",
    "networkConfiguration": f"Unable to update network parameters {ELSEWHERE}",
    "platformVersion": f"Unable to update platform version {ELSEWHERE}",
    "capacityProviderStrategy": f"Unable to update capacity provider strategy {ELSEWHERE}",
    "serviceRegistries": f"Unable to update service registries {ELSEWHERE}",
    "serviceConnectConfiguration": f"Unable to update Service Connect {ELSEWHERE}",
}
NO_FORCE = f"Cannot force a new deployment {ELSEWHERE}"
DEPLOYS = ("taskDefinition", "loadBalancers", "networkConfiguration", "platformVersion", "forceNewDeployment")


def update(call: Call) -> dict[str, Any]:
    """UpdateService."""
    world, params = call.world, call.params
    service = lookup.service(world, params.get("cluster"), params["service"])
    _check_controller(service, params)
    new = _next(world, service, params) if any(params.get(key) for key in DEPLOYS) else None
    _check_configuration(params)
    change_service(world, service.arn, **_changes(service, params))
    if new:
        _deploy(world, service.arn, new)
    answer = service_view.described(world, store(world).services[service.arn])
    scheduler.reconcile(world, service.arn)
    return {"service": answer}


def _check_controller(service: Service, params: Mapping[str, Any]) -> None:
    wanted = params.get("deploymentController", {}).get("type", service.controller)
    if wanted != service.controller:
        message = f"Updating the deployment controller from {service.controller} to {wanted} is not supported."
        raise AwsError("InvalidParameterException", message)
    if service.controller != "CODE_DEPLOY":
        return
    refusal = next((message for key, message in CODEDEPLOYS_OWN.items() if key in params), None)
    if refusal or params.get("forceNewDeployment"):
        raise AwsError("InvalidParameterException", refusal or NO_FORCE)


def _check_configuration(params: Mapping[str, Any]) -> None:
    strategy = params.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if strategy != "ROLLING":
        raise not_simulated(f"ecs: the deployment strategy {strategy}")


def _changes(service: Service, params: Mapping[str, Any]) -> dict[str, Any]:
    configuration = params.get("deploymentConfiguration", {})
    least, most = percents(configuration, (service.minimum_percent, service.maximum_percent))
    changes: dict[str, Any] = {
        "minimum_percent": least,
        "maximum_percent": most,
        "circuit_breaker": configuration.get("deploymentCircuitBreaker", service.circuit_breaker),
        "options": {**service.options, **{name: params[name] for name in OPTIONS if name in params}},
    }
    if "desiredCount" in params:
        changes["desired"] = service_rules.desired_count(params)
    if "healthCheckGracePeriodSeconds" in params:
        bound = service.grace is not None or bool(params.get("loadBalancers"))
        changes["grace"] = service_rules.grace(params, bound)
    return changes


def _next(world: World, service: Service, params: Mapping[str, Any]) -> rolling.Wanted | None:
    """What the call wants of the tasks; None when they are so already and nothing is forced."""
    old = store(world).task_sets[service.primary]
    known = store(world).task_definitions[old.task_definition]
    definition = lookup.startable_definition(world, params["taskDefinition"]) if "taskDefinition" in params else known
    given = {"loadBalancers": service_view.bindings(old.bindings), **params}
    platform = {"platformVersion": old.platform_version or "LATEST", **params}
    new = rolling.Wanted(
        task_definition=definition["taskDefinitionArn"],
        bindings=service_rules.bindings(world, given, definition),
        network=service_rules.network(world, params, definition) if "networkConfiguration" in params else old.network,
        platform_version=service_rules.platform_version(platform, service.launch_type),
        capacity=tuple(params.get("capacityProviderStrategy", old.capacity)),
    )
    same = rolling.Wanted(old.task_definition, old.bindings, old.network, old.platform_version, old.capacity)
    if new == same and not params.get("forceNewDeployment"):
        return None
    service_rules.check_roles(world, definition)
    return new


def _deploy(world: World, service_arn: str, wanted: rolling.Wanted) -> None:
    """Begin a rolling deployment."""
    service = change_service(world, service_arn, rolled="IN_PROGRESS")
    old, new = sets_of(world, service_arn), rolling.fresh(world, service, wanted)
    rolling.begin(world, service, new)
    history.opened(world, service, old, new)


def set_desired_count(world: World, cluster: str, service: str, count: int) -> None:
    """Scale a service, as application auto scaling does: all of its task sets that do not drain."""
    found = lookup.service(world, cluster, service)
    change_service(world, found.arn, desired=service_rules.desired_count({"desiredCount": count}))
    scheduler.reconcile(world, found.arn)


def update_service_image(world: World, *, cluster: str, service: str, images: Mapping[str, str]) -> str:
    """Register the live revision with other images and roll it out; answers with the new revision's ARN.

    Raises AwsError: a container that the revision does not have, a service under CodeDeploy.
    """
    found = lookup.service(world, cluster, service)
    _check_controller(found, {"taskDefinition": ""})
    old = store(world).task_definitions[store(world).task_sets[found.primary].task_definition]
    containers = [dict(one) for one in old["containerDefinitions"]]
    unknown = set(images) - {one["name"] for one in containers}
    if unknown:
        message = f"The container {sorted(unknown)[0]} does not exist in the task definition."
        raise AwsError("InvalidParameterException", message)
    for container in containers:
        container["image"] = images.get(container["name"], container["image"])
    accepted = {key: value for key, value in old.items() if key in definitions.accepted_keys()}
    arn = definitions.register_task_definition(world, {**accepted, "containerDefinitions": containers})
    start_rolling(world, found, arn)
    return arn


def start_rolling(world: World, service: Service, task_definition: str) -> None:
    """Roll a revision out to a service with the ECS controller."""
    new = _next(world, service, {"taskDefinition": task_definition})
    if new:
        _deploy(world, service.arn, new)
        scheduler.reconcile(world, service.arn)


def rolling_state(world: World, cluster: str, service: str) -> str:
    """How the last rolling deployment that somebody asked for stands: IN_PROGRESS, COMPLETED or FAILED.

    FAILED stays when the circuit breaker has brought the former revision back.
    """
    return lookup.service(world, cluster, service).rolled


OPERATIONS = {"UpdateService": update}
