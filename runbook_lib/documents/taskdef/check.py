"""What is wrong with a task definition file for Fargate behind CodeDeployToECS.

Rules: botocore's RegisterTaskDefinition shape; Amazon ECS developer guide, "Task definition parameters" and
"Amazon ECS task definition differences for Fargate" (fargate-tasks-services).
"""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.documents import schema
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source
from runbook_lib.documents.taskdef import fargate
from runbook_lib.documents.taskdef.text import NAME, PLACEHOLDER, items_of, parse

READ_ONLY = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)
_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_SECRET_PLACES = ("environment", "secrets")
_MOST_IMAGES = 4
_SET_FARGATE = 'set "requiresCompatibilities": ["FARGATE"]'


def check(text: str | bytes | Source, *, name: str = NAME) -> tuple[Finding, ...]:
    """Everything that AWS would refuse or that would deploy something else than meant, with line and remedy."""
    return check_document(parse(text, name=name))


def check_document(document: Document) -> tuple[Finding, ...]:
    """The same, of a task definition that was read already."""
    return (
        *_check_shape(document),
        *_check_launch(document),
        *_check_size(document),
        *_check_images(document),
        *_check_roles(document),
        *_check_volumes(document),
        *_check_names(document),
        *(
            finding
            for item in items_of(document.root, "containerDefinitions")
            for finding in _check_one(document, item)
        ),
    )


def _check_shape(document: Document) -> Iterator[Finding]:
    for problem in schema.problems(document.root.plain(), service="ecs", shape="RegisterTaskDefinitionRequest"):
        node = _nearest(document.root, problem.path)
        rule, remedy = _rule_of(problem)
        seen = f"{schema.path_text(problem.path)}: {_hidden(problem)}"
        yield Finding(rule, document.where(node), seen, problem.wanted, remedy)


def _rule_of(problem: schema.Problem) -> tuple[str, str]:
    last = problem.path[-1] if problem.path else ""
    if problem.kind == "key" and len(problem.path) == 1 and last in READ_ONLY:
        return "taskdef_read_only_fields", "remove it: describe shows it, register refuses it"
    if problem.kind == "key":
        return "taskdef_unknown_key", "remove or rename the key"
    if problem.seen == "null":
        return "taskdef_null_values", "remove the key: register takes no null"
    if last in ("containerPort", "hostPort"):
        return "taskdef_port_is_string", "write the port without quotes"
    return f"taskdef_{problem.kind}", f"write {problem.wanted}"


def _hidden(problem: schema.Problem) -> str:
    secret = any(step in _SECRET_PLACES for step in problem.path) and problem.kind in ("type", "value")
    return "a value of another type" if secret and problem.seen != "null" else problem.seen


def _nearest(root: Node, path: schema.Path) -> Node:
    parent = root.at(*path[:-1]) or root if path else root
    own = parent.key(path[-1]) if path and isinstance(path[-1], str) else root.at(*path)
    return own or parent


def _check_launch(document: Document) -> Iterator[Finding]:
    found = _Findings(document)
    root = document.root
    wanted = root.get("requiresCompatibilities")
    if wanted is None or not wanted.items:
        yield found("no_compatibilities", wanted or root, "no requiresCompatibilities", '["FARGATE"]', _SET_FARGATE)
    elif "FARGATE" not in [item.raw for item in wanted.items]:
        shown = ", ".join(item.raw for item in wanted.items)
        yield found("not_fargate", wanted, f"requiresCompatibilities {shown}", '["FARGATE"]', _SET_FARGATE)
    mode = root.get("networkMode")
    if mode is None or mode.raw != "awsvpc":
        seen = f"networkMode {mode.raw!r}" if mode else "no networkMode"
        yield found("not_awsvpc", mode or root, seen, "awsvpc, Fargate's only mode", 'set "networkMode": "awsvpc"')
    for constraint in items_of(root, "placementConstraints")[:1]:
        yield found("placement", constraint, "placement constraints", "none on Fargate", "remove placementConstraints")


def _check_size(document: Document) -> Iterator[Finding]:
    found = _Findings(document)
    cpu, memory = document.root.get("cpu"), document.root.get("memory")
    if cpu is None or memory is None:
        missing = " and ".join(key for key, node in (("cpu", cpu), ("memory", memory)) if node is None)
        yield found("no_size", document.root, f"no {missing}", "cpu and memory of the whole task", f"add {missing}")
        return
    units, mib = fargate.cpu_units(cpu.raw), fargate.memory_mib(memory.raw)
    offered = fargate.memory_for(units or 0)
    if not offered:
        sizes = ", ".join(map(str, fargate.all_cpu()))
        yield found("size", cpu, f"cpu {cpu.raw!r}", f"one of {sizes}", "choose one of Fargate's sizes")
    elif mib not in offered:
        sizes = _few(offered)
        yield found("size", memory, f"memory {memory.raw!r} with cpu {cpu.raw!r}", sizes, f"set memory to {offered[0]}")


def _few(sizes: tuple[int, ...]) -> str:
    if len(sizes) < 6:
        return f"one of {', '.join(map(str, sizes))} MiB"
    return f"{sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


def _check_images(document: Document) -> Iterator[Finding]:
    found = _Findings(document)
    images = [image for item in items_of(document.root, "containerDefinitions") if (image := item.get("image"))]
    placeholders = {image.raw: image for image in images if PLACEHOLDER.fullmatch(image.raw)}
    if len(placeholders) > _MOST_IMAGES:
        last = list(placeholders.values())[_MOST_IMAGES]
        wanted = f"at most {_MOST_IMAGES}: the deploy action replaces no more"
        yield found("placeholders", last, f"{len(placeholders)} placeholders", wanted, "write the others out")
    for image in () if placeholders else images:
        rule = "image_is_literal" if image_uri(image.raw) else "image_other_token"
        wanted = "a placeholder such as <IMAGE1_NAME>: without one every release deploys this same text"
        yield found(rule, image, f"the image {image.raw[:60]!r}", wanted, 'write "image": "<IMAGE1_NAME>"')


def _check_roles(document: Document) -> Iterator[Finding]:
    role = document.root.get("executionRoleArn")
    if role and role.raw:
        return
    reasons = ", ".join(_needs_role(items_of(document.root, "containerDefinitions")))
    if role or reasons:
        seen = "an empty executionRoleArn" if role else f"no executionRoleArn, but {reasons}"
        wanted = "the role that pulls the image, writes the logs and reads the secrets"
        yield _Findings(document)("no_execution_role", role or document.root, seen, wanted, "add executionRoleArn")


def _needs_role(items: tuple[Node, ...]) -> Iterator[str]:
    if any(".dkr.ecr." in item.text("image") or PLACEHOLDER.fullmatch(item.text("image")) for item in items):
        yield "an image from ECR"
    if any(_text(item, "logConfiguration", "logDriver") == "awslogs" for item in items):
        yield "the log driver awslogs"
    if any(items_of(item, "secrets") for item in items):
        yield "secrets"


def _text(node: Node, *path: str) -> str:
    found = node.at(*path)
    return found.raw if found else ""


def _check_volumes(document: Document) -> Iterator[Finding]:
    found = _Findings(document)
    for volume in items_of(document.root, "volumes"):
        if volume.at("host", "sourcePath"):
            yield found("host_volume", volume, "a volume of the host", "EFS or the task's storage", "remove sourcePath")
    size = document.root.at("ephemeralStorage", "sizeInGiB")
    if size and isinstance(size.value, int) and not 21 <= size.value <= 200:
        yield found(
            "storage", size, f"sizeInGiB {size.raw}", "21 to 200", "remove it (20 GiB come without) or raise it"
        )


def _check_names(document: Document) -> Iterator[Finding]:
    found = _Findings(document)
    items = items_of(document.root, "containerDefinitions")
    if all(_text(item, "essential") == "false" for item in items):
        yield found("no_essential", items[0], "no essential container", "at least one", 'set "essential": true')
    for number, item in enumerate(items):
        name = item.text("name")
        if name in (other.text("name") for other in items[:number]):
            yield found("container_twice", item, f"the container {name!r} twice", "each name once", "rename one")


def _check_one(document: Document, item: Node) -> Iterator[Finding]:
    found = _Findings(document)
    for mapping in items_of(item, "portMappings"):
        host, container = mapping.get("hostPort"), mapping.get("containerPort")
        if host and container and host.value not in (None, 0, container.value):
            seen = f"hostPort {host.raw} with containerPort {container.raw}"
            yield found("host_port_differs", host, seen, "the same port in both", "remove hostPort")
    for key in ("privileged", "links", "extraHosts"):
        node = item.get(key)
        if node and (node.items or node.value is True):
            yield found(f"no_{key}", node, key, "a container without it: Fargate refuses it", f"remove {key}")
    driver = item.at("logConfiguration", "logDriver")
    if driver and driver.raw not in _LOG_DRIVERS:
        yield found("log_driver", driver, f"log driver {driver.raw!r}", " or ".join(_LOG_DRIVERS), "use awslogs")
    stop = item.get("stopTimeout")
    if stop and isinstance(stop.value, int) and stop.value > 120:
        yield found("stop_timeout", stop, f"stopTimeout {stop.raw}", "at most 120 seconds on Fargate", "lower it")


class _Findings:
    """Makes findings about one file."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def __call__(self, rule: str, node: Node, seen: str, wanted: str, remedy: str) -> Finding:
        return Finding(f"taskdef_{rule}", self.document.where(node), seen, wanted, remedy)
