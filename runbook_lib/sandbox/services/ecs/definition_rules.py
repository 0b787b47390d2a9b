"""What a task definition must hold, and how ECS keeps it.

Source: ECS API reference, RegisterTaskDefinition and the types it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import fargate

FAMILY = re.compile(r"[a-zA-Z0-9_-]{1,255}")
ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+|[\w+=,.@-]{1,64}")
COMPATIBILITIES = ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}
HEALTH_RANGES = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}


def kept(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A task definition as ECS keeps it; raises AwsError where it breaks a rule."""
    _check_top(wanted)
    definition = {key: value for key, value in wanted.items() if key != "tags"}
    definition["containerDefinitions"] = [_container(definition, one) for one in wanted["containerDefinitions"]]
    for size in ("cpu", "memory"):
        if definition.get(size):
            definition[size] = str(fargate.units(definition[size], size))
    definition.setdefault("volumes", [])
    definition.setdefault("placementConstraints", [])
    _check_together(definition)
    if "FARGATE" in definition.get("requiresCompatibilities", ()):
        fargate.check(definition)
    return definition


def _check_top(wanted: Mapping[str, Any]) -> None:
    if not FAMILY.fullmatch(wanted.get("family", "")):
        _refuse("Family must have 1 to 255 letters, digits, underscores and hyphens.")
    containers = wanted.get("containerDefinitions", ())
    if not containers:
        _refuse("TaskDefinition must contain at least one container definition.")
    names = [container.get("name") for container in containers]
    if len(set(names)) != len(names):
        _refuse("Container names must be unique in a task definition.")
    unknown = set(wanted.get("requiresCompatibilities", ())) - set(COMPATIBILITIES)
    if unknown:
        _refuse(f"requiresCompatibilities can hold {', '.join(COMPATIBILITIES)}; {sorted(unknown)[0]} was given.")
    for role in ("taskRoleArn", "executionRoleArn"):
        if wanted.get(role) and not ROLE.fullmatch(wanted[role]):
            _refuse("Role is not valid")


def _container(definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    if not FAMILY.fullmatch(given.get("name") or ""):
        _refuse("Container.name contains invalid characters.")
    if not given.get("image"):
        _refuse("Container.image should not be null or empty.")
    if not (definition.get("memory") or given.get("memory") or given.get("memoryReservation")):
        _refuse(
            f"Invalid setting for container '{given['name']}'. At least one of 'memory' or 'memoryReservation' must be "
            "specified."
        )
    empty: dict[str, Any] = {"environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": []}
    container = {"cpu": 0, "essential": True, **empty, **given}
    container["portMappings"] = [_port(definition, port) for port in given.get("portMappings", ())]
    if "healthCheck" in given:
        container["healthCheck"] = _health_check(given["name"], given["healthCheck"])
    return container


def _port(definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    port = {"protocol": "tcp", **given}
    if definition.get("networkMode") == "awsvpc" and "containerPort" in port:
        if port.get("hostPort", 0) not in (0, port["containerPort"]):
            _refuse("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
        port["hostPort"] = port["containerPort"]
    return port


def _health_check(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    check = {**HEALTH_DEFAULTS, **given}
    if not given.get("command") or given["command"][0] not in ("CMD", "CMD-SHELL", "NONE"):
        _refuse(f"Invalid setting for container '{name}'. The health check's command must begin with CMD or CMD-SHELL.")
    for key, (low, high) in HEALTH_RANGES.items():
        if key in check and not low <= check[key] <= high:
            _refuse(
                f"Invalid setting for container '{name}'. The health check's {key} must be from {low} to {high}; "
                f"it is {check[key]}."
            )
    return check


def _check_together(definition: Mapping[str, Any]) -> None:
    containers = definition["containerDefinitions"]
    if not any(container["essential"] for container in containers):
        _refuse("At least one container of a task definition must be essential.")
    names = {container["name"] for container in containers}
    for container in containers:
        _check_references(definition, container, names)
    for size in ("cpu", "memory"):
        if definition.get(size) and sum(one.get(size, 0) for one in containers) > int(definition[size]):
            _refuse(f"The '{size}' settings of the containers are greater together than that of the task.")


def _check_references(definition: Mapping[str, Any], container: Mapping[str, Any], names: set[str]) -> None:
    if definition.get("networkMode") == "awsvpc" and container.get("links"):
        _refuse("Links are not supported when networkMode=awsvpc.")
    for dependency in container.get("dependsOn", ()):
        if dependency["containerName"] not in names - {container["name"]}:
            _refuse(
                f"Container '{container['name']}' depends on container '{dependency['containerName']}', which does not "
                "exist in the task definition."
            )
    volumes = {volume["name"] for volume in definition["volumes"]}
    for mount in container["mountPoints"]:
        if mount.get("sourceVolume") not in volumes:
            _refuse(f"Unknown volume '{mount.get('sourceVolume')}'.")


def compatibilities(definition: Mapping[str, Any]) -> list[str]:
    """Where tasks of this definition could run."""
    places = ["EC2"]
    if definition.get("networkMode") == "awsvpc" and definition.get("cpu") and definition.get("memory"):
        places.append("FARGATE")
    return places


def required_attributes(definition: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a container instance would have to offer."""
    containers = definition["containerDefinitions"]
    drivers = {container.get("logConfiguration", {}).get("logDriver") for container in containers} - {None}
    attributes = [f"com.amazonaws.ecs.capability.logging-driver.{driver}" for driver in sorted(drivers)]
    wanted = {
        "ecs.capability.execution-role-awslogs": "awslogs" in drivers and definition.get("executionRoleArn"),
        "com.amazonaws.ecs.capability.ecr-auth": any(fargate.ECR.fullmatch(one["image"]) for one in containers),
        "com.amazonaws.ecs.capability.docker-remote-api.1.19": drivers,
        "com.amazonaws.ecs.capability.task-iam-role": definition.get("taskRoleArn"),
        "ecs.capability.task-eni": definition.get("networkMode") == "awsvpc",
    }
    return [{"name": name} for name in (*attributes, *(name for name, holds in wanted.items() if holds))]


def _refuse(message: str) -> None:
    raise AwsError("ClientException", message)
