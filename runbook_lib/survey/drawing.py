"""The picture of an existing system: a tree for the terminal, and a diagram in Markdown that code hosts draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.survey.found import Found, Listener

NOT_OURS = "not ours"


@dataclass(frozen=True)
class Branch:
    """A line of the tree with what hangs on it."""

    text: str
    below: tuple[Branch, ...] = ()


def tree(found: Found) -> str:
    """The system from the service outwards, a line each; what a stack owns says so."""
    kind = "rolling deployments by ECS" if found.rolls else "blue/green deployments by CodeDeploy"
    head = f"{found.cluster}/{found.service}: {found.running} of {found.desired} tasks, {kind}"
    branches = [_definition(found), _traffic(found), _codedeploy(found), _delivery(found), _scaling(found)]
    branches.append(Branch("roles", tuple(Branch(f"{k}: {_role(found, v)}") for k, v in found.roles.items())))
    lines = [_mark(found, head, "service"), *_drawn([one for one in branches if one])]
    counts = f"{len(found.owned)} of {len(found.parts)} resources belong to a stack"
    return "\n".join([*lines, counts, *(f"could not be read: {what}" for what in found.unread)])


def _drawn(branches: list[Branch], before: str = "") -> Iterator[str]:
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        yield f"{before}{'└─' if last else '├─'} {branch.text}"
        yield from _drawn(list(branch.below), before + ("   " if last else "│  "))


def _mark(found: Found, text: str, kind: str, arn: str = "") -> str:
    """The text, with the owner where a stack has it."""
    owners = (part.owner for part in found.parts if part.kind == kind and (not arn or part.arn == arn))
    owner = next((one for one in owners if one), None)
    return f"{text}  [{NOT_OURS}: {owner}]" if owner else text


def _definition(found: Found) -> Branch:
    one = found.definition
    size = f"{one.cpu or '?'} CPU units, {one.memory or '?'} MiB"
    logs = (Branch(_mark(found, f"log group {one.log_group}", "log group")),) if one.log_group else ()
    image = Branch(_mark(found, f"image {one.image.rpartition('/')[2][:60]}", "registry"))
    text = f"task definition {one.arn.rpartition('/')[2]}: {', '.join(one.containers)} ({size})"
    return Branch(text, (image, *logs))


def _traffic(found: Found) -> Branch:
    if not found.balancer:
        left = "no load balancer: CodeDeploy cannot deploy it blue/green before it has one"
        return Branch(left if not found.target_groups else "target groups behind no load balancer")
    text = _mark(found, f"load balancer {found.balancer}", "load balancer")
    return Branch(text, tuple(_listener(found, one) for one in found.listeners))


def _listener(found: Found, one: Listener) -> Branch:
    purpose = "production" if one == found.production else "test" if one == found.test else "also"
    kind, arn = ("rule of a listener", one.rule) if one.rule else ("listener", one.arn)
    text = _mark(found, f"{purpose}: {kind} {one.protocol} :{one.port}", kind, arn)
    return Branch(text, tuple(_group(found, name, weight) for name, weight in one.weights.items()))


def _group(found: Found, name: str, weight: int) -> Branch:
    group = next(one for one in found.target_groups if one.name == name)
    text = f"target group {name}: weight {weight}, {group.healthy} of {group.targets} healthy"
    return Branch(_mark(found, text, "target group", group.arn))


def _codedeploy(found: Found) -> Branch | None:
    one = found.group
    if one is None:
        return None if found.rolls else Branch("no deployment group of CodeDeploy serves it")
    waits = f"{one.config}, keeps the former tasks {one.termination_wait} min"
    alarms = tuple(Branch(_mark(found, f"alarm {name}", "alarm", _alarm(found, name))) for name in one.alarms)
    return Branch(_mark(found, f"CodeDeploy {one.application}/{one.name}: {waits}", "deployment group"), alarms)


def _alarm(found: Found, name: str) -> str:
    return next(part.arn for part in found.parts if part.kind == "alarm" and part.name == name)


def _delivery(found: Found) -> Branch:
    one = found.pipeline
    if one is None:
        return Branch("no pipeline deploys to it")
    source = f"{one.source.provider} {one.source.repository}, {one.source.branch}" if one.source else "no source"
    below = [Branch(_mark(found, f"source: {source}", "repository"))]
    below += [Branch(_mark(found, f"build: {one.project}", "build project"))] if one.project else []
    below.append(Branch(f"deploy: {one.deploys_by} to {'/'.join(one.deploys_to)}"))
    below += [Branch(_mark(found, f"started by the rule {rule}", "event rule")) for rule in one.rules]
    return Branch(_mark(found, f"pipeline {one.name} ({one.kind}, {one.mode})", "pipeline"), tuple(below))


def _scaling(found: Found) -> Branch | None:
    one = found.scaling
    policies = f", by {', '.join(one.policies)}" if one and one.policies else ""
    return Branch(f"scaling: {one.smallest} to {one.largest} tasks{policies}") if one else None


def _role(found: Found, arn: str) -> str:
    return _mark(found, arn.rpartition("/")[2], "role", arn)


# ---- Markdown


def page(found: Found) -> str:
    """A page with the diagram (Mermaid) and the table of what is there and whose it is."""
    rows = "\n".join(f"| {part.kind} | `{part.name}` | {part.owner or 'no stack'} |" for part in found.parts)
    unread = "".join(f"\nCould not be read: {what}\n" for what in found.unread)
    return (
        f"# {found.service} in the cluster {found.cluster}\n\n"
        f"As `runbook init` found it in account {found.account}, {found.region}.\n"
        "What a stack owns has a dashed border: no plan changes it without consent.\n\n"
        f"```mermaid\n{mermaid(found)}\n```\n\n| what | name | belongs to |\n|---|---|---|\n{rows}\n{unread}"
    )


def mermaid(found: Found) -> str:
    """The system as a flow chart, from the source to the tasks and from the users to them."""
    chart = _Chart(found)
    _deliver(chart, found)
    _route(chart, found)
    return "\n".join(["flowchart LR", *chart.lines()])


class _Chart:
    """Nodes and edges as they are named; each node is drawn once, and what a stack owns is drawn as such."""

    def __init__(self, found: Found) -> None:
        self.arns = {(part.kind, part.name): part for part in found.parts}
        self.nodes: dict[tuple[str, str], str] = {}
        self.edges: list[str] = []
        self.foreign: list[str] = []

    def node(self, kind: str, name: str, label: str = "") -> str:
        """The id of a node; `name` tells nodes of a kind apart."""
        key = (kind, name)
        if key not in self.nodes:
            id = f"n{len(self.nodes)}"
            self.nodes[key] = f'{id}["{kind}<br>{_plain(label or name)}"]'
            if key in self.arns and self.arns[key].owner:
                self.foreign.append(id)
        return self.nodes[key].partition("[")[0]

    def edge(self, left: str, right: str, words: str = "") -> None:
        self.edges.append(f"{left} {f'-- {words} ' if words else ''}--> {right}")

    def lines(self) -> Iterator[str]:
        yield from (f"  {node}" for node in self.nodes.values())
        yield from (f"  {edge}" for edge in self.edges)
        if self.foreign:
            yield "  classDef foreign stroke-dasharray: 5 5"
            yield f"  class {','.join(self.foreign)} foreign"


def _deliver(chart: _Chart, found: Found) -> None:
    one, group = found.pipeline, found.group
    service = chart.node("service", found.service)
    deploying = chart.node("pipeline", one.name) if one else ""
    if one and one.source:
        chart.edge(chart.node("repository", one.source.repository), deploying)
    if one and one.project:
        chart.edge(deploying, chart.node("build project", one.project), "builds")
    if group:
        middle = chart.node("deployment group", group.name)
        chart.edge(middle, service, group.config)
        if one:
            chart.edge(deploying, middle, "deploys")
    elif one:
        chart.edge(deploying, service, "deploys")


def _route(chart: _Chart, found: Found) -> None:
    service = chart.node("service", found.service)
    serving = {name for one in found.listeners for name, weight in one.weights.items() if weight}
    for one in found.listeners:
        kind = "rule of a listener" if one.rule else "listener"
        listener = chart.node(kind, f":{one.port}")
        chart.edge(chart.node("load balancer", found.balancer), listener)
        for name, weight in one.weights.items():
            chart.edge(listener, chart.node("target group", name), f"weight {weight}")
    for group in found.target_groups:
        if group.name in serving and group.targets:
            chart.edge(chart.node("target group", group.name), service, f"{group.healthy} of {group.targets} healthy")


def _plain(text: str) -> str:
    return text.replace('"', "'").replace("<", "&lt;")
