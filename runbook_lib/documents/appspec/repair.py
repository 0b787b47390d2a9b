"""Repairs of an AppSpec that leave no choice: where CodeDeploy accepts exactly one form.

Rules: as in check.py beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.documents.appspec.check import PLACEHOLDER, SERVICE
from runbook_lib.documents.change import bare_written, is_json, text_written, value_filled
from runbook_lib.documents.edit import Edit, Splice, edited
from runbook_lib.documents.node import Document, Node

_VERSION = "0.0"


def repairs(document: Document) -> Iterator[Edit]:
    """Version, type and port, each as an edit of its own; apply one, then ask again."""
    service = _service(document)
    properties = service.get("Properties") if service else None
    for splice, reason in (
        (_version(document), f"CodeDeploy knows version {_VERSION} alone"),
        (_type(document, service), f"an ECS deployment has one type of resource, {SERVICE}"),
        (_port(document, properties), "a port is a number"),
    ):
        if splice:
            yield edited(document.source, (splice,), (reason,))


def placeholder_written(document: Document) -> Edit | None:
    """TaskDefinition as the deploy action replaces it."""
    service = _service(document)
    properties = service.get("Properties") if service else None
    key, node = (properties.key("TaskDefinition"), properties.get("TaskDefinition")) if properties else (None, None)
    if key is None or node is None or node.raw == PLACEHOLDER:
        return None
    splice = value_filled(document, key, node, PLACEHOLDER)
    return edited(document.source, (splice,), ("the deploy action replaces this text alone",)) if splice else None


def container_written(document: Document, *, name: str | None, port: str | None) -> Edit | None:
    """ContainerName and ContainerPort as the task definition has them; None keeps what is there."""
    service = _service(document)
    info = service.at("Properties", "LoadBalancerInfo") if service else None
    splices: list[Splice | None] = []
    for told, value in (("ContainerName", name), ("ContainerPort", port)):
        node = info.get(told) if info else None
        if node is not None and value is not None and node.raw != value:
            splices.append((bare_written if told == "ContainerPort" else text_written)(document, node, value))
    made = [splice for splice in splices if splice]
    if not made or len(made) < len(splices):
        return None
    return edited(document.source, made, ("the task definition has this container and port",))


def balancer_as_object(document: Document) -> Edit | None:
    """LoadBalancerInfo without the dashes that make a list of it; each becomes a blank, so that nothing moves."""
    service = _service(document)
    info = service.at("Properties", "LoadBalancerInfo") if service else None
    if info is None or info.kind != "list" or info.style != "block" or is_json(document):
        return None
    names = [key.raw for item in info.items for key, _ in item.pairs]
    dashes = [document.source.text.rfind("-", 0, item.start) for item in info.items]
    between = zip(dashes, info.items, strict=True)
    plain = all(dash >= 0 and document.source.text[dash + 1 : item.start].isspace() for dash, item in between)
    if not plain or len(names) != len(set(names)) or any(item.kind != "map" for item in info.items):
        return None
    splices = [Splice(dash, dash + 1, " ") for dash in dashes]
    return edited(document.source, splices, ("LoadBalancerInfo is one object",))


def _service(document: Document) -> Node | None:
    resources = document.root.get("Resources")
    first = resources.items[0] if resources and resources.items else None
    return first.pairs[0][1] if first and len(first.pairs) == 1 else None


def _version(document: Document) -> Splice | None:
    root = document.root
    key, version = root.key("version"), root.get("version")
    if key is not None and version is not None:
        written = bare_written(document, version, _VERSION) if version.kind == "number" else None
        return (written or value_filled(document, key, version, _VERSION)) if version.raw != _VERSION else None
    if is_json(document):
        comma = ", " if root.pairs else ""
        return Splice(root.start + 1, root.start + 1, f'"version": {_VERSION}{comma}')
    start = document.source.line_start(root.start)
    alone = not document.source.text[start : root.start].strip()
    return Splice(start, start, f"version: {_VERSION}{document.source.newline}") if alone else None


def _type(document: Document, service: Node | None) -> Splice | None:
    key, kind = (service.key("Type"), service.get("Type")) if service else (None, None)
    wrong = key is not None and kind is not None and kind.raw != SERVICE and kind.kind in ("text", "nothing")
    return value_filled(document, key, kind, SERVICE) if wrong and key and kind else None


def _port(document: Document, properties: Node | None) -> Splice | None:
    port = properties.at("LoadBalancerInfo", "ContainerPort") if properties else None
    quoted = port is not None and port.kind == "text" and port.raw.isdigit() and 1 <= int(port.raw[:6]) <= 65535
    return bare_written(document, port, port.raw) if quoted and port else None
