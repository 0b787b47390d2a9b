"""What is wrong with an AppSpec, each finding with its line.

Keys and rules: CodeDeploy user guide, "AppSpec 'resources' section for Amazon ECS deployments"
(reference-appspec-file-structure-resources) and "AppSpec 'hooks' section" (reference-appspec-file-structure-hooks).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from runbook_lib.documents.finding import Finding
from runbook_lib.documents.node import Document, Node

PLACEHOLDER = "<TASK_DEFINITION>"
SERVICE = "AWS::ECS::Service"
EVENTS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
NETWORK = ("Subnets", "SecurityGroups", "AssignPublicIp")
_TASK_DEFINITION_ARN = re.compile(r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:task-definition/[\w-]+:\d+")
_PROPERTIES = (
    "TaskDefinition",
    "LoadBalancerInfo",
    "PlatformVersion",
    "NetworkConfiguration",
    "CapacityProviderStrategy",
)


class Checker:
    """Walks an AppSpec from top to bottom."""

    def __init__(self, document: Document, template: bool) -> None:
        self.document, self.template = document, template

    def _finding(self, rule: str, node: Node, *, wanted: str, remedy: str, seen: str = "") -> Finding:
        return Finding(f"appspec_{rule}", self.document.where(node), seen or node.shown(), wanted, remedy)

    def findings(self) -> Iterator[Finding]:
        root = self.document.root
        version = root.get("version")
        if version is None or version.raw != "0.0":
            seen = f"version {version.raw}" if version else "no version"
            yield self._finding(
                "version", version or root, seen=seen, wanted="version 0.0", remedy="write version: 0.0"
            )
        yield from self._keys(root, ("version", "Resources", "Hooks"))
        yield from self._resources(root, root.get("Resources"))
        hooks = root.get("Hooks")
        if hooks and hooks.kind != "nothing":
            yield from self._hooks(hooks)

    def _keys(self, node: Node, known: tuple[str, ...]) -> Iterator[Finding]:
        for key, _ in node.pairs:
            if key.raw not in known:
                close = difflib.get_close_matches(key.raw, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "remove it"
                wanted = f"one of {', '.join(known)}"
                yield self._finding("unknown_key", key, seen=f"the key {key.raw!r}", wanted=wanted, remedy=hint)

    def _resources(self, root: Node, resources: Node | None) -> Iterator[Finding]:
        if resources is None or resources.kind != "list" or len(resources.items) != 1:
            node, count = resources or root, len(resources.items) if resources else 0
            seen = f"{count} resources" if resources and resources.kind == "list" else ""
            yield self._finding(
                "resources",
                node,
                seen=seen or (node.shown() if resources else "no Resources"),
                wanted="a list with exactly one resource",
                remedy="keep one '- TargetService:' under Resources",
            )
            return
        yield from self._resource(resources.items[0])

    def _resource(self, resource: Node) -> Iterator[Finding]:
        service = resource.pairs[0][1] if len(resource.pairs) == 1 else None
        if service is None or service.kind != "map":
            yield self._finding(
                "target_service_empty",
                resource,
                seen=f"a resource with the keys {', '.join(resource.names())}" if resource.pairs else "",
                wanted="one name with Type and Properties below it",
                remedy="indent Type and Properties below TargetService",
            )
            service = resource
        if service.get("Type") is None and service.get("Properties") is None:
            return
        if service is not resource:
            yield from self._keys(service, ("Type", "Properties"))
        kind, properties = service.get("Type"), service.get("Properties")
        if kind is None or kind.raw != SERVICE:
            yield self._finding(
                "type", kind or service, seen="" if kind else "no Type", wanted=SERVICE, remedy=f"write Type: {SERVICE}"
            )
        if properties is None or properties.kind != "map":
            yield self._finding("properties", properties or service, wanted="Properties", remedy="add Properties")
        else:
            yield from self._properties(properties)

    def _properties(self, properties: Node) -> Iterator[Finding]:
        yield from self._keys(properties, _PROPERTIES)
        yield from self._task_definition(properties)
        yield from self._balancer(properties)
        version = properties.get("PlatformVersion")
        if version and version.kind != "text":
            yield self._finding("platform", version, wanted='a text such as "1.4.0"', remedy="put it in quotes")
        if network := properties.get("NetworkConfiguration"):
            yield from self._network(network)
        if capacity := properties.get("CapacityProviderStrategy"):
            yield from self._capacity(capacity)

    def _task_definition(self, properties: Node) -> Iterator[Finding]:
        node = properties.get("TaskDefinition")
        raw = node.raw if node else ""
        if self.template and raw != PLACEHOLDER:
            yield self._finding(
                "task_definition_not_placeholder",
                node or properties,
                seen=f"TaskDefinition {raw!r}" if node else "no TaskDefinition",
                wanted=f"exactly {PLACEHOLDER}: the deploy action fills in the new revision there",
                remedy=f"write TaskDefinition: {PLACEHOLDER}",
            )
        elif not self.template and not _TASK_DEFINITION_ARN.fullmatch(raw):
            yield self._finding(
                "task_definition_no_arn",
                node or properties,
                wanted="the full ARN with its revision",
                remedy="write arn:aws:ecs:<region>:<account>:task-definition/<family>:<revision>",
            )

    def _balancer(self, properties: Node) -> Iterator[Finding]:
        node = properties.get("LoadBalancerInfo")
        if node is None or node.kind != "map":
            yield self._finding(
                "load_balancer",
                node or properties,
                seen="" if node else "no LoadBalancerInfo",
                wanted="LoadBalancerInfo as one object with ContainerName and ContainerPort, not a list",
                remedy="remove the dashes below LoadBalancerInfo" if node else "add LoadBalancerInfo",
            )
            return
        yield from self._keys(node, ("ContainerName", "ContainerPort"))
        name, port = node.get("ContainerName"), node.get("ContainerPort")
        if name is None or name.kind != "text" or not name.raw.strip():
            yield self._finding(
                "container", name or node, wanted="the container's name", remedy="write it as in taskdef.json"
            )
        if port is None or not isinstance(port.value, int) or not 1 <= port.value <= 65535:
            rule = "port_is_string" if port and port.kind == "text" else "port"
            wanted = "a port number without quotes"
            yield self._finding(rule, port or node, wanted=wanted, remedy="write ContainerPort: 80")

    def _network(self, network: Node) -> Iterator[Finding]:
        node = network.get("AwsvpcConfiguration")
        missing = [key for key in NETWORK if node is None or node.get(key) is None]
        if node is None or missing:
            yield self._finding(
                "network",
                node or network,
                seen=f"no {', '.join(missing)}",
                wanted="all three of Subnets, SecurityGroups and AssignPublicIp, or no NetworkConfiguration",
                remedy="add what is missing, or remove NetworkConfiguration to keep the service's",
            )
            return
        for key in NETWORK[:2]:
            if (value := node.get(key)) and not value.items:
                yield self._finding("network", value, wanted=f"a list of {key}", remedy=f"list the {key}")
        public = node.get("AssignPublicIp")
        if public and public.raw not in ("ENABLED", "DISABLED"):
            yield self._finding("network", public, wanted="ENABLED or DISABLED", remedy="write one of the two")

    def _capacity(self, capacity: Node) -> Iterator[Finding]:
        wanted = "a list of CapacityProvider, Weight and at most one Base, the figures as whole numbers"
        based = [item for item in capacity.items if item.get("Base") and item.text("Base") != "0"]
        if not capacity.items or len(based) > 1:
            seen = f"{len(based)} providers with a Base" if based else ""
            yield self._finding("capacity", capacity, seen=seen, wanted=wanted, remedy="keep one Base")
        for item in capacity.items:
            figures = [value for key in ("Weight", "Base") if (value := item.get(key))]
            wrong = [value for value in figures if not isinstance(value.value, int)]
            if wrong or not item.text("CapacityProvider"):
                yield self._finding("capacity", (*wrong, item)[0], wanted=wanted, remedy="mend this provider")

    def _hooks(self, hooks: Node) -> Iterator[Finding]:
        wanted = f"a list of '- <event>: <function>', each event once, of {', '.join(EVENTS)}"
        if hooks.kind != "list":
            yield self._finding("hooks", hooks, wanted=wanted, remedy="write '- ' before each event")
        events: list[str] = []
        for item in hooks.items:
            event, function = item.pairs[0] if len(item.pairs) == 1 else (item, item)
            if event.raw not in EVENTS or event.raw in events or not function.raw.strip():
                yield self._finding("hooks", event, wanted=wanted, remedy="mend this hook, or remove it")
            events.append(event.raw)
