"""Repairs of a task definition file that leave no choice: what AWS refuses has one right form, or no place there.

Rules: as in check.py beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.documents import schema
from runbook_lib.documents.change import bare_written, key_added, keys_removed
from runbook_lib.documents.edit import Edit, Splice, edited
from runbook_lib.documents.json_text import parse_template
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source
from runbook_lib.documents.taskdef import fargate
from runbook_lib.documents.taskdef.check import READ_ONLY
from runbook_lib.documents.taskdef.text import items_of
from runbook_lib.errors import BadInput


def repairs(document: Document) -> Iterator[Edit]:
    """Every repair as an edit of its own; apply one, then ask again."""
    for made, reason in (
        (_refused_keys(document), "register-task-definition takes neither what describe adds nor null"),
        (_ports(document), "a port is a number, and on Fargate the same on host and container"),
        (_launch(document), "Fargate wants both, and has one network mode"),
    ):
        splices = list(made)
        if splices:
            yield edited(document.source, splices, (reason,))


def without_commas(source: Source) -> Iterator[Edit]:
    """A file that is JSON but for commas before closing brackets, without them."""
    try:
        _, oddities = parse_template(source, name=source.name)
    except BadInput:
        return
    if oddities and all(node.raw == "," for node in oddities):
        splices = [Splice(node.start, node.end, "") for node in oddities]
        yield edited(source, splices, ("JSON has no comma before a closing bracket",))


def _refused_keys(document: Document) -> Iterator[Splice]:
    """Keys that describe shows and register refuses, and keys whose value is null."""
    gone: dict[Node, set[str]] = {}
    for problem in schema.problems(document.root.plain(), service="ecs", shape="RegisterTaskDefinitionRequest"):
        *above, last = problem.path or ("",)
        read_only = problem.kind == "key" and not above and last in READ_ONLY
        parent = document.root.at(*above)
        if isinstance(last, str) and parent is not None and parent.key(last) and (read_only or problem.seen == "null"):
            gone.setdefault(parent, set()).add(last)
    for parent, names in gone.items():
        # Of a map that goes itself nothing needs to be taken out.
        if not any(other is not parent and _holds(other, parent, names) for other, names in gone.items()):
            yield from keys_removed(parent, names)


def _holds(outer: Node, inner: Node, names: set[str]) -> bool:
    values = [value for key, value in outer.pairs if key.raw in names]
    return any(value.start <= inner.start < value.end for value in values)


def _ports(document: Document) -> Iterator[Splice]:
    for item in items_of(document.root, "containerDefinitions"):
        for mapping in items_of(item, "portMappings"):
            yield from _mapping(document, mapping)


def _mapping(document: Document, mapping: Node) -> Iterator[Splice]:
    container, host = mapping.get("containerPort"), mapping.get("hostPort")
    if container is None or not container.raw.isdigit():
        return
    if container.kind == "text" and (splice := bare_written(document, container, container.raw)):
        yield splice
    differs = host is not None and host.value not in (None, 0, container.value)
    quoted = host is not None and host.kind == "text" and host.raw.isdigit()
    if host is not None and (differs or quoted) and (splice := bare_written(document, host, container.raw)):
        yield splice


def _launch(document: Document) -> Iterator[Splice]:
    root = document.root
    compatibilities, mode = root.get("requiresCompatibilities"), root.get("networkMode")
    if compatibilities is None and mode is not None and mode.raw == "awsvpc" and _fits_fargate(root):
        yield key_added(document, root, "requiresCompatibilities", '["FARGATE"]')
    only = compatibilities is not None and [item.raw for item in compatibilities.items] == ["FARGATE"]
    if mode is None and only:
        yield key_added(document, root, "networkMode", '"awsvpc"')


def _fits_fargate(root: Node) -> bool:
    units, mib = fargate.cpu_units(root.text("cpu")), fargate.memory_mib(root.text("memory"))
    return mib in fargate.memory_for(units or 0)
