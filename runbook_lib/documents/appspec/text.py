"""The AppSpec file of an ECS deployment: what CodeDeploy shifts, and to where.

Keys and rules: CodeDeploy user guide, "AppSpec 'resources' section for Amazon ECS deployments"
(reference-appspec-file-structure-resources) and "AppSpec 'hooks' section" (reference-appspec-file-structure-hooks).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from runbook_lib.documents.appspec.check import NETWORK, PLACEHOLDER, SERVICE, Checker
from runbook_lib.documents.finding import MOST_FINDINGS, Finding, refuse
from runbook_lib.documents.json_text import parse_json
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source, source_of
from runbook_lib.documents.yaml_text import parse_yaml, resolve
from runbook_lib.errors import BadInput

NAME = "appspec.yaml"
_PLAIN = re.compile(r"[A-Za-z_<][\w<>./:@-]*")


@dataclass(frozen=True)
class Network:
    """Where the green tasks run; without it they run where the service's tasks run."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool


@dataclass(frozen=True)
class Capacity:
    """One capacity provider; a service with a strategy loses it when the AppSpec has none."""

    provider: str
    weight: int
    base: int = 0


@dataclass(frozen=True)
class AppSpec:
    """What a deployment shifts: the task definition, and the container and port behind the load balancer."""

    container: str
    port: int
    task_definition: str = PLACEHOLDER
    platform_version: str = ""
    network: Network | None = None
    capacity: tuple[Capacity, ...] = ()
    hooks: Mapping[str, str] = field(default_factory=dict)


def build(spec: AppSpec) -> str:
    """The text of appspec.yaml; it is checked before it is handed out."""
    lines = [
        "version: 0.0",
        "Resources:",
        "  - TargetService:",
        f"      Type: {SERVICE}",
        "      Properties:",
        f"        TaskDefinition: {_scalar(spec.task_definition)}",
        "        LoadBalancerInfo:",
        f"          ContainerName: {_scalar(spec.container)}",
        f"          ContainerPort: {spec.port}",
    ]
    optional = [*_platform_lines(spec), *_network_lines(spec.network), *_capacity_lines(spec.capacity)]
    text = "\n".join([*lines, *(" " * 8 + line for line in optional), *_hook_lines(spec.hooks), ""])
    refuse(check(text, template=spec.task_definition == PLACEHOLDER))
    return text


def with_hook(text: str, event: str, function: str | None) -> str:
    """The same AppSpec with a function in an event, None for none; what else stands in it keeps its bytes.

    Raises BadInput where that cannot be: another function is there, or the file is not written as we write it.
    """
    spec = parse(text)
    now = spec.hooks.get(event)
    if now == function:
        return text
    if now is not None and function is not None:
        raise _cannot(f"{event}: {now}", f"no function in {event}, or {function}", "move one of them to another event")
    hooks = {name: value for name, value in spec.hooks.items() if name != event}
    wanted = {**hooks, event: function} if function is not None else hooks
    if text == build(spec):
        return build(replace(spec, hooks=wanted))
    if not spec.hooks:
        return "\n".join([text.rstrip("\n"), *_hook_lines(wanted), ""])
    raise _cannot("Hooks in a file of your own", f"{event}: {function or 'nothing'}", "write it into the file yourself")


def _cannot(seen: str, wanted: str, next_step: str) -> BadInput:
    return BadInput(where=NAME, seen=seen, wanted=wanted, next_step=next_step)


def parse(text: str | bytes | Source, *, name: str = NAME, template: bool = True) -> AppSpec:
    """Read an AppSpec, JSON or YAML; an error names everything that is wrong with it.

    A `template` still holds the placeholder <TASK_DEFINITION>; otherwise it holds the revision's full ARN.
    """
    refuse(check(text, name=name, template=template))
    root = document_of(text, name).root
    properties = root.at("Resources", 0).pairs[0][1].get("Properties")  # type: ignore[union-attr]
    return _read(properties, root) if properties else AppSpec("", 0)


def check(text: str | bytes | Source, *, name: str = NAME, template: bool = True) -> tuple[Finding, ...]:
    """Findings about an AppSpec, each with its line."""
    return tuple(islice(Checker(document_of(text, name), template).findings(), MOST_FINDINGS))


def document_of(text: str | bytes | Source, name: str) -> Document:
    """The tree of an AppSpec, from YAML or JSON; what it says is not checked."""
    source = source_of(text, name=name)
    reader = parse_json if source.text.lstrip().startswith("{") else parse_yaml
    document = reader(source, name=name)
    document.top_map("a map")
    return document


def _read(properties: Node, root: Node) -> AppSpec:
    balancer = properties.get("LoadBalancerInfo") or root
    port = balancer.get("ContainerPort")
    hooks = root.get("Hooks")
    return AppSpec(
        container=balancer.text("ContainerName"),
        port=port.value if port and isinstance(port.value, int) else 0,
        task_definition=properties.text("TaskDefinition"),
        platform_version=properties.text("PlatformVersion"),
        network=_read_network(properties.at("NetworkConfiguration", "AwsvpcConfiguration")),
        capacity=tuple(_read_capacity(item) for item in _items(properties.get("CapacityProviderStrategy"))),
        hooks={key.raw: value.raw for item in _items(hooks) for key, value in item.pairs},
    )


def _read_network(node: Node | None) -> Network | None:
    if node is None:
        return None
    subnets, groups = (tuple(item.raw for item in _items(node.get(key))) for key in NETWORK[:2])
    return Network(subnets, groups, node.text("AssignPublicIp") == "ENABLED")


def _read_capacity(item: Node) -> Capacity:
    weight, base = (int(item.text(key) or 0) for key in ("Weight", "Base"))
    return Capacity(item.text("CapacityProvider"), weight, base)


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if node else ()


def _scalar(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and not value.endswith(":") and resolve(value)[0] == "text"
    return value if plain else json.dumps(value, ensure_ascii=False)


def _platform_lines(spec: AppSpec) -> list[str]:
    return [f"PlatformVersion: {json.dumps(spec.platform_version)}"] if spec.platform_version else []


def _network_lines(network: Network | None) -> list[str]:
    if network is None:
        return []
    return [
        "NetworkConfiguration:",
        "  AwsvpcConfiguration:",
        f"    Subnets: {_flow(network.subnets)}",
        f"    SecurityGroups: {_flow(network.security_groups)}",
        f"    AssignPublicIp: {'ENABLED' if network.assign_public_ip else 'DISABLED'}",
    ]


def _flow(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _capacity_lines(capacity: tuple[Capacity, ...]) -> list[str]:
    lines = ["CapacityProviderStrategy:"] if capacity else []
    for one in capacity:
        lines += [f"  - CapacityProvider: {_scalar(one.provider)}", f"    Weight: {one.weight}"]
        lines += [f"    Base: {one.base}"] if one.base else []
    return lines


def _hook_lines(hooks: Mapping[str, str]) -> list[str]:
    return ["Hooks:", *(f"  - {event}: {_scalar(function)}" for event, function in hooks.items())] if hooks else []
