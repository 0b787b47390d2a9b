"""Reads an AppSpec file for Amazon ECS and refuses what CodeDeploy refuses.

Source: CodeDeploy user guide, reference-appspec-file-structure-resources and reference-appspec-file-structure-hooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MALFORMED = "The input AppSpec file is a not well-formed yaml. The template cannot be parsed."
HOOK_NAMES = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
TASK_DEFINITION = re.compile(r"arn:aws[\w-]*:ecs:[\w-]+:\d{12}:task-definition/[\w-]+:\d+")
NETWORK_KEYS = {"Subnets", "SecurityGroups", "AssignPublicIp"}
PROPERTIES = {
    "TaskDefinition",
    "LoadBalancerInfo",
    "PlatformVersion",
    "NetworkConfiguration",
    "CapacityProviderStrategy",
}


class AppSpecError(Exception):
    """What is wrong with the file, in the words that the operator sees."""


@dataclass(frozen=True)
class AppSpec:
    """What an AppSpec can change; network is None where the service's own is kept."""

    task_definition: str
    container: str
    port: int
    platform_version: str | None
    network: dict[str, Any] | None
    capacity_providers: tuple[dict[str, Any], ...]
    hooks: dict[str, str]


def parse(text: str) -> AppSpec:
    """The AppSpec in a YAML or JSON text; raises AppSpecError."""
    top = _mapping(_load(text))
    if str(top.get("version")) != "0.0":
        raise AppSpecError(f"The AppSpec file has an invalid version: {top.get('version')!r}. The version must be 0.0.")
    resource = _resource(top)
    properties = _mapping(resource.get("Properties"))
    _no_others(properties, PROPERTIES, "Properties")
    container, port = _load_balancer(properties)
    return AppSpec(
        task_definition=_task_definition(properties),
        container=container,
        port=port,
        platform_version=_platform_version(properties),
        network=_network(properties),
        capacity_providers=_capacity_providers(properties),
        hooks=_hooks(top),
    )


def _load(text: str) -> Any:
    import yaml

    try:
        return json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (yaml.YAMLError, json.JSONDecodeError) as bad:
        raise AppSpecError(MALFORMED) from bad


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AppSpecError(MALFORMED)
    return value


def _resource(top: Mapping[str, Any]) -> Mapping[str, Any]:
    _no_others(top, {"version", "Resources", "Hooks"}, "the AppSpec file")
    resources = top.get("Resources")
    if not isinstance(resources, list) or not resources:
        raise AppSpecError(MALFORMED)
    if len(resources) != 1 or len(_mapping(resources[0])) != 1:
        raise AppSpecError("The AppSpec file for an Amazon ECS deployment must specify exactly one resource.")
    resource = _mapping(next(iter(resources[0].values())))
    if resource.get("Type") != "AWS::ECS::Service":
        raise AppSpecError(f"The resource type {resource.get('Type')!r} must be 'AWS::ECS::Service'.")
    return resource


def _no_others(value: Mapping[str, Any], known: set[str], where: str) -> None:
    others = sorted(str(key) for key in value if key not in known)
    if others:
        raise AppSpecError(f"{where} holds the unknown key {others[0]!r}; known keys are {', '.join(sorted(known))}.")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise AppSpecError(f"The AppSpec file must specify {name} as a string; it is {value!r}.")
    return value.strip()


def _task_definition(properties: Mapping[str, Any]) -> str:
    arn = _text(properties.get("TaskDefinition"), "TaskDefinition")
    if not TASK_DEFINITION.fullmatch(arn):
        raise AppSpecError(f"TaskDefinition must be the ARN of a task definition with its revision; it is {arn!r}.")
    return arn


def _load_balancer(properties: Mapping[str, Any]) -> tuple[str, int]:
    info = _mapping(properties.get("LoadBalancerInfo"))
    _no_others(info, {"ContainerName", "ContainerPort"}, "LoadBalancerInfo")
    port = info.get("ContainerPort")
    if not isinstance(port, int) or isinstance(port, bool):
        raise AppSpecError(f"The AppSpec file must specify ContainerPort as a number; it is {port!r}.")
    return _text(info.get("ContainerName"), "ContainerName"), port


def _platform_version(properties: Mapping[str, Any]) -> str | None:
    version = properties.get("PlatformVersion")
    return None if version is None else _text(version, "PlatformVersion")


def _network(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    if properties.get("NetworkConfiguration") is None:
        return None
    config = _mapping(_mapping(properties["NetworkConfiguration"]).get("AwsvpcConfiguration"))
    if set(config) != NETWORK_KEYS:
        raise AppSpecError(f"AwsvpcConfiguration must specify {', '.join(sorted(NETWORK_KEYS))}: all of them or none.")
    if config["AssignPublicIp"] not in ("ENABLED", "DISABLED"):
        raise AppSpecError(f"AssignPublicIp must be ENABLED or DISABLED; it is {config['AssignPublicIp']!r}.")
    subnets, groups = config["Subnets"], config["SecurityGroups"]
    if not isinstance(subnets, list) or not isinstance(groups, list):
        raise AppSpecError(MALFORMED)
    vpc = {"subnets": list(subnets), "securityGroups": list(groups), "assignPublicIp": config["AssignPublicIp"]}
    return {"awsvpcConfiguration": vpc}


def _capacity_providers(properties: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    strategy = properties.get("CapacityProviderStrategy") or []
    if not isinstance(strategy, list):
        raise AppSpecError(MALFORMED)
    if sum("Base" in _mapping(item) for item in strategy) > 1:
        raise AppSpecError("Only one capacity provider in CapacityProviderStrategy can have a Base.")
    names = {"CapacityProvider": "capacityProvider", "Base": "base", "Weight": "weight"}
    for item in strategy:
        _no_others(item, set(names), "CapacityProviderStrategy")
    return tuple({names[key]: value for key, value in item.items()} for item in strategy)


def _hooks(top: Mapping[str, Any]) -> dict[str, str]:
    listed = top.get("Hooks") or []
    if not isinstance(listed, list):
        raise AppSpecError(MALFORMED)
    hooks: dict[str, str] = {}
    for name, function in (pair for item in listed for pair in _mapping(item).items()):
        if name not in HOOK_NAMES:
            raise AppSpecError(f"{name!r} is not a lifecycle event hook; hooks are {', '.join(HOOK_NAMES)}.")
        if name in hooks:
            raise AppSpecError(f"The hook {name} is specified more than once; each hook names one Lambda function.")
        hooks[name] = _text(function, f"the Lambda function of the hook {name}")
    return hooks
