"""The task definition file (taskdef.json) that CodePipeline registers anew for every release.

Accepted keys: botocore's input shape of RegisterTaskDefinition. Placeholders: CodePipeline user guide,
"Amazon ECS and CodeDeploy blue-green action reference" (action-reference-ECSbluegreen).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.documents import schema
from runbook_lib.documents.edit import Splice, edited
from runbook_lib.documents.json_text import parse_json
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

NAME = "taskdef.json"
PLACEHOLDER = re.compile(r"<([^<>\s]+)>")
_MOST_CONTAINERS = 100
_VERBATIM = ("dockerLabels", "options", "labels", "driverOpts")


@dataclass(frozen=True)
class Container:
    """One container of a task definition; of its environment and secrets only the names are kept."""

    name: str
    image: str
    ports: tuple[int, ...]
    environment: tuple[str, ...]
    secrets: tuple[str, ...]


def parse(text: str | bytes | Source, *, name: str = NAME) -> Document:
    """Read a task definition file; an error has line, column and remedy."""
    return shaped(parse_json(text, name=name))


def shaped(document: Document) -> Document:
    """The same document, which must be a task definition with its containers."""
    root = document.top_map("a JSON object")
    if wrapped := root.get("taskDefinition"):
        raise document.bad(
            wrapped,
            seen="the whole answer of describe-task-definition",
            wanted="what stands inside its taskDefinition",
            next_step="keep only the inner object, or write the file from the running revision",
        )
    definitions = root.get("containerDefinitions")
    if definitions is None or definitions.kind != "list" or not definitions.items:
        raise document.bad(
            definitions or root,
            seen=definitions.shown() if definitions else "no key 'containerDefinitions'",
            wanted="a list with at least one container",
            next_step="write the containers as [{...}]",
        )
    if len(definitions.items) > _MOST_CONTAINERS:
        raise document.bad(
            definitions,
            seen=f"{len(definitions.items):,} containers",
            wanted="a task definition: ECS takes far fewer",
            next_step="check that this is the right file",
        )
    return document


def containers(text: str | bytes | Source, *, name: str = NAME) -> tuple[Container, ...]:
    """The containers of a task definition file, in its order."""
    root = parse(text, name=name).root
    return tuple(_container(item) for item in items_of(root, "containerDefinitions"))


def placeholders(text: str | bytes | Source, *, name: str = NAME) -> tuple[str, ...]:
    """The placeholders such as `<IMAGE1_NAME>` in the images, without their brackets, in the file's order."""
    root = parse_json(text, name=name).top_map("a JSON object")
    images = (item.text("image") for item in items_of(root, "containerDefinitions"))
    found = (PLACEHOLDER.fullmatch(image) for image in images)
    return tuple(dict.fromkeys(match[1] for match in found if match))


def from_running(answer: Mapping[str, Any], *, containers: Mapping[str, str]) -> str:
    """The file to commit, made from what DescribeTaskDefinition answers (include=['TAGS'] keeps the tags).

    `containers` maps container names to their placeholder, with or without brackets.
    """
    running = answer.get("taskDefinition")
    if not isinstance(running, Mapping):
        raise BadInput(
            seen="an answer without 'taskDefinition'",
            wanted="what DescribeTaskDefinition answers",
            next_step="describe the running revision and pass the whole answer",
        )
    # RegisterTaskDefinition refuses tags with AWS's own prefix.
    tags = {"tags": [tag for tag in answer.get("tags") or [] if not str(tag.get("key")).lower().startswith("aws:")]}
    accepted = schema.fitted({**running, **tags}, service="ecs", shape="RegisterTaskDefinitionRequest")
    cleaned = without_empty(accepted)
    cleaned["containerDefinitions"] = _with_placeholders(cleaned.get("containerDefinitions", []), containers)
    return json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n"


def with_environment(text: str | bytes | Source, container: str, values: Mapping[str, str], *, name: str = NAME) -> str:
    """The file with these environment variables set in one container; every other byte stays."""
    document = parse(text, name=name)
    target = _named(document, container)
    variables = items_of(target, "environment")
    present = {variable.text("name") for variable in variables}
    missing = {key: value for key, value in values.items() if key not in present}
    changes = [
        _set_value(document, variable, values[variable.text("name")])
        for variable in variables
        if variable.text("name") in values
    ]
    return edited(document.source, [*changes, *_add_values(document, target, missing)], ()).after


def without_empty(value: Any) -> Any:
    """The value without nulls and without the empty lists, maps and texts that nobody wrote on purpose.

    An environment variable, a label or an option may be empty on purpose and stays.
    """
    if isinstance(value, Mapping):
        kept = {key: item if key in _VERBATIM else without_empty(item) for key, item in value.items()}
        return {
            key: item for key, item in kept.items() if item not in (None, [], {}) and (item != "" or key == "value")
        }
    return [without_empty(item) for item in value if item is not None] if isinstance(value, list | tuple) else value


def items_of(node: Node, key: str) -> tuple[Node, ...]:
    """The items of a list in a map; none when the key is absent."""
    found = node.get(key)
    return found.items if found else ()


def _container(item: Node) -> Container:
    ports = (mapping.get("containerPort") for mapping in items_of(item, "portMappings"))
    return Container(
        item.text("name"),
        item.text("image"),
        tuple(port.value for port in ports if port and isinstance(port.value, int)),
        tuple(variable.text("name") for variable in items_of(item, "environment")),
        tuple(secret.text("name") for secret in items_of(item, "secrets")),
    )


def _with_placeholders(definitions: list[dict[str, Any]], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    names = [definition.get("name") for definition in definitions]
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise BadInput(
            seen=f"containers {', '.join(map(repr, unknown))}" if unknown else "no container to replace the image of",
            wanted=f"containers of the running revision: {', '.join(map(repr, names))}",
            next_step="name the container whose image the pipeline replaces",
        )
    return [
        definition | ({"image": f"<{wanted[definition['name']].strip('<>')}>"} if definition["name"] in wanted else {})
        for definition in definitions
    ]


def _named(document: Document, container: str) -> Node:
    found = items_of(document.root, "containerDefinitions")
    names = [item.text("name") for item in found]
    if container not in names:
        raise document.bad(
            document.root,
            seen=f"the containers {', '.join(map(repr, names))}",
            wanted=f"a container {container!r}",
            next_step="name one of these containers",
        )
    return found[names.index(container)]


def _set_value(document: Document, variable: Node, value: str) -> Splice:
    old = variable.get("value")
    if old is None:
        raise document.bad(variable, seen="no 'value'", wanted="name and value", next_step="add the key 'value'")
    same = old.kind == "text" and old.raw == value
    return Splice(old.start, old.end, document.source.text[old.start : old.end] if same else _quoted(value))


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _add_values(document: Document, target: Node, values: Mapping[str, str]) -> list[Splice]:
    objects = [_quoted({"name": key, "value": value}) for key, value in values.items()]
    environment = target.get("environment")
    if not objects:
        return []
    if environment is None or environment.kind == "nothing":
        return [_new_environment(document, target, environment, objects)]
    if not environment.items:
        return [Splice(environment.start + 1, environment.end - 1, ", ".join(objects))]
    last = environment.items[-1]
    between = _between(document.source.text, environment.items, environment.start)
    return [Splice(last.end, last.end, "".join(f",{between}{one}" for one in objects))]


def _new_environment(document: Document, target: Node, empty: Node | None, objects: list[str]) -> Splice:
    inner = f"[{', '.join(objects)}]"
    if empty:
        return Splice(empty.start, empty.end, inner)
    keys = tuple(key for key, _ in target.pairs)
    between = _between(document.source.text, keys, target.start)
    last = target.pairs[-1][1]
    return Splice(last.end, last.end, f',{between}"environment": {inner}')


def _between(text: str, nodes: tuple[Node, ...], opening: int) -> str:
    """The white space that stands before these values: line end and indentation, or a blank."""
    last = nodes[-1].start
    space = text[opening + 1 : last]
    found = space[len(space.rstrip()) :]
    return found or " "
