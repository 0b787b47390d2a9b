"""Deployment configurations: how production traffic is shifted.

Sources: CodeDeploy user guide, deployment-configurations, deployment-configurations-create and limits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup
from runbook_lib.sandbox.services.codedeploy.store import DeploymentConfig, Increment

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PREFIX = "CodeDeployDefault."
PLATFORMS = ("Server", "Lambda", "ECS")
MAX_CUSTOM = 50
MAX_MINUTES = 2880
STOCK_CREATED = 1543277100.0  # the day on which blue/green deployments to Amazon ECS appeared
DEFAULTS = {"ECS": PREFIX + "ECSAllAtOnce", "Lambda": PREFIX + "LambdaAllAtOnce", "Server": PREFIX + "OneAtATime"}


def _canary(percent: int, minutes: int) -> dict[str, Any]:
    shape = {"canaryPercentage": percent, "canaryInterval": minutes}
    return {"type": "TimeBasedCanary", "timeBasedCanary": shape}


def _linear(percent: int, minutes: int) -> dict[str, Any]:
    shape = {"linearPercentage": percent, "linearInterval": minutes}
    return {"type": "TimeBasedLinear", "timeBasedLinear": shape}


ROUTING_KEYS = {"TimeBasedCanary": "timeBasedCanary", "TimeBasedLinear": "timeBasedLinear", "AllAtOnce": ""}
ALL_AT_ONCE = {"type": "AllAtOnce"}
STOCK_ROUTING = {
    "ECSAllAtOnce": ("ECS", ALL_AT_ONCE),
    "ECSCanary10Percent5Minutes": ("ECS", _canary(10, 5)),
    "ECSCanary10Percent15Minutes": ("ECS", _canary(10, 15)),
    "ECSLinear10PercentEvery1Minutes": ("ECS", _linear(10, 1)),
    "ECSLinear10PercentEvery3Minutes": ("ECS", _linear(10, 3)),
    "LambdaAllAtOnce": ("Lambda", ALL_AT_ONCE),
    "LambdaCanary10Percent5Minutes": ("Lambda", _canary(10, 5)),
    "LambdaCanary10Percent10Minutes": ("Lambda", _canary(10, 10)),
    "LambdaCanary10Percent15Minutes": ("Lambda", _canary(10, 15)),
    "LambdaCanary10Percent30Minutes": ("Lambda", _canary(10, 30)),
    "LambdaLinear10PercentEvery1Minute": ("Lambda", _linear(10, 1)),
    "LambdaLinear10PercentEvery2Minutes": ("Lambda", _linear(10, 2)),
    "LambdaLinear10PercentEvery3Minutes": ("Lambda", _linear(10, 3)),
    "LambdaLinear10PercentEvery10Minutes": ("Lambda", _linear(10, 10)),
}
STOCK_HOSTS: dict[str, dict[str, Any]] = {
    "OneAtATime": {"type": "HOST_COUNT", "value": 1},
    "HalfAtATime": {"type": "FLEET_PERCENT", "value": 50},
    "AllAtOnce": {"type": "HOST_COUNT", "value": 0},
}


def stock(world: World) -> dict[str, DeploymentConfig]:
    """The configurations that AWS provides, by name."""
    found = {}
    for number, name in enumerate([*STOCK_HOSTS, *STOCK_ROUTING], start=1):
        platform, routing = STOCK_ROUTING.get(name, ("Server", None))
        identity = f"00000000-0000-0000-0000-{number:012d}"
        found[PREFIX + name] = DeploymentConfig(
            PREFIX + name, identity, platform, STOCK_CREATED, routing, STOCK_HOSTS.get(name)
        )
    return found


def increments(routing: dict[str, Any]) -> tuple[Increment, ...]:
    """The changes of weights that a routing makes: green's share, then the minutes until the next change."""
    if routing["type"] == "AllAtOnce":
        return (Increment(100, 0),)
    if routing["type"] == "TimeBasedCanary":
        shape = routing["timeBasedCanary"]
        return (Increment(shape["canaryPercentage"], shape["canaryInterval"]), Increment(100, 0))
    shape = routing["timeBasedLinear"]
    steps = range(shape["linearPercentage"], 100, shape["linearPercentage"])
    return (*(Increment(percent, shape["linearInterval"]) for percent in steps), Increment(100, 0))


def create(call: Call) -> dict[str, Any]:
    """CreateDeploymentConfig."""
    name = lookup.named(call.params, "deploymentConfigName", "DeploymentConfig")
    configs = lookup.store(call.world).configs
    if name.startswith(PREFIX):
        raise AwsError(
            "InvalidDeploymentConfigNameException", f"Deployment configuration name cannot begin with {PREFIX}"
        )
    if name in configs:
        raise AwsError("DeploymentConfigAlreadyExistsException", f"Deployment config already exists: {name}")
    if len(configs) >= MAX_CUSTOM:
        raise AwsError("DeploymentConfigLimitExceededException", f"At most {MAX_CUSTOM} custom configurations exist.")
    platform = platform_of(call.params)
    _check_shape(platform, call.params)
    made = DeploymentConfig(
        name=name,
        id=call.world.ids.uuid("deployment-config"),
        platform=platform,
        created=call.world.now,
        routing=call.params.get("trafficRoutingConfig"),
        healthy_hosts=call.params.get("minimumHealthyHosts"),
    )
    configs[name] = made
    return {"deploymentConfigId": made.id}


def platform_of(params: dict[str, Any]) -> str:
    """The compute platform that a call names; servers where it names none."""
    platform: str = params.get("computePlatform", "Server")
    if platform not in PLATFORMS:
        raise AwsError(
            "InvalidComputePlatformException", "The computePlatform is invalid. It should be Lambda, Server, or ECS."
        )
    return platform


def _check_shape(platform: str, params: dict[str, Any]) -> None:
    routing, hosts = params.get("trafficRoutingConfig"), params.get("minimumHealthyHosts")
    if platform == "Server":
        if hosts is None:
            raise AwsError("InvalidMinimumHealthyHostValueException", "Server configurations need minimumHealthyHosts.")
        return
    if hosts is not None:
        raise AwsError(
            "InvalidMinimumHealthyHostValueException", f"For {platform}, minimumHealthyHosts can not be specified."
        )
    if routing is None:
        _bad_routing(f"For {platform} deployment configurations, trafficRoutingConfig must be specified.")
    else:
        _check_routing(routing)


def _check_routing(routing: dict[str, Any]) -> None:
    kind = routing.get("type", "")
    if kind not in ROUTING_KEYS:
        _bad_routing(f"The type {kind!r} is none of {', '.join(ROUTING_KEYS)}.")
    wanted = ROUTING_KEYS[kind]
    others = set(ROUTING_KEYS.values()) - {wanted}
    if others & set(routing):
        _bad_routing(f"{kind} cannot be combined with {', '.join(sorted(others & set(routing)))}.")
    if wanted:
        _check_steps(routing.get(wanted) or {}, wanted.removeprefix("timeBased").lower())


def _check_steps(shape: dict[str, Any], kind: str) -> None:
    percent, minutes = shape.get(f"{kind}Percentage"), shape.get(f"{kind}Interval")
    if percent is None or not 1 <= percent <= 99:
        _bad_routing(f"{kind}Percentage must lie between 1 and 99; it is {percent}.")
    if minutes is None or minutes < 1:
        _bad_routing(f"{kind}Interval must be at least one minute; it is {minutes}.")
    steps = 1 if kind == "canary" else math.ceil(100 / percent) - 1
    if steps * minutes > MAX_MINUTES:
        _bad_routing(
            f"The time between the first and the last shift must not exceed {MAX_MINUTES} minutes; "
            f"it is {steps * minutes}."
        )


def _bad_routing(reason: str) -> NoReturn:
    raise AwsError("InvalidTrafficRoutingConfigurationException", reason)


def get(call: Call) -> dict[str, Any]:
    """GetDeploymentConfig."""
    name = lookup.named(call.params, "deploymentConfigName", "DeploymentConfig")
    found = lookup.config(call.world, name)
    info = {
        "deploymentConfigId": found.id,
        "deploymentConfigName": found.name,
        "createTime": call.world.datetime(found.created),
        "computePlatform": found.platform,
        "trafficRoutingConfig": found.routing,
        "minimumHealthyHosts": found.healthy_hosts,
    }
    return {"deploymentConfigInfo": {key: value for key, value in info.items() if value is not None}}


def list_(call: Call) -> dict[str, Any]:
    """ListDeploymentConfigs."""
    names = [*stock(call.world), *lookup.store(call.world).configs]
    return lookup.page(names, call.params, "deploymentConfigsList")


def delete(call: Call) -> dict[str, Any]:
    """DeleteDeploymentConfig."""
    name = lookup.named(call.params, "deploymentConfigName", "DeploymentConfig")
    if name.startswith(PREFIX):
        raise AwsError("InvalidOperationException", f"The predefined configuration {name} cannot be deleted.")
    store = lookup.store(call.world)
    for application in store.applications.values():
        for group in application.groups.values():
            if group.settings["deploymentConfigName"] == name:
                raise AwsError("DeploymentConfigInUseException", f"Deployment config is in use: {name}")
    store.configs.pop(name, None)
    return {}


OPERATIONS = {
    "CreateDeploymentConfig": create,
    "GetDeploymentConfig": get,
    "ListDeploymentConfigs": list_,
    "DeleteDeploymentConfig": delete,
}
