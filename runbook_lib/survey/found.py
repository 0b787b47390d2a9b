"""What was found of an existing system, from its pipeline to its tasks; identity only, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """A resource with who owns it; `owner` is None when no tag and no stack claims it."""

    kind: str  # in words: "target group"
    name: str
    arn: str
    owner: str | None = None


@dataclass(frozen=True)
class Source:
    """Where the pipeline takes the application from; `provider` as CodePipeline names it."""

    provider: str
    repository: str  # name, or owner/repository of a git host
    branch: str
    connection: str = ""  # ARN
    artifact: str = ""  # CODE_ZIP or CODEBUILD_CLONE_REF; empty where the definition does not say


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that deploys to the service; `deploys_by` is that action's provider."""

    name: str
    role: str
    bucket: str
    kind: str  # V1 or V2
    mode: str
    deploys_by: str
    deploys_to: tuple[str, str]  # cluster and service, or CodeDeploy's application and group
    source: Source | None
    project: str  # name; empty without a build
    placeholder: str
    rules: tuple[str, ...] = ()  # EventBridge rules that start it


@dataclass(frozen=True)
class Group:
    """The deployment group of the service; `config` is a name, `routing` what AWS answers for it, waits are minutes."""

    application: str
    name: str
    role: str
    config: str
    routing: Mapping[str, Any]
    ready_wait: int
    termination_wait: int
    pair: tuple[str, ...]  # names of the target groups
    production: str  # ARN of the listener; empty when there is none
    test: str
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Listener:
    """A listener, or a rule of one, that leads to a target group of the service: weight by the group's name."""

    arn: str
    port: int
    protocol: str
    certificate: str
    weights: Mapping[str, int]
    rule: str = ""  # ARN; empty for the listener's own action


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `health` is its check as AWS has it, `healthy` counts targets of `targets`."""

    name: str
    arn: str
    health: Mapping[str, Any]
    healthy: int
    targets: int


@dataclass(frozen=True)
class Definition:
    """The task definition that the service runs."""

    arn: str
    family: str
    cpu: str
    memory: str
    containers: tuple[str, ...]
    image: str
    execution_role: str
    task_role: str
    log_group: str


@dataclass(frozen=True)
class Scaling:
    """The scalable target with the names of its policies."""

    smallest: int
    largest: int
    policies: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """An existing service with everything that it hangs on; what does not exist is None or empty."""

    account: str
    region: str
    partition: str
    cluster: str
    service: str
    controller: str
    desired: int
    running: int
    container: str
    port: int
    grace: int
    definition: Definition
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool
    vpc: str = ""
    balancer: str = ""
    balancer_arn: str = ""
    target_groups: tuple[TargetGroup, ...] = ()  # the live one first
    listeners: tuple[Listener, ...] = ()
    group: Group | None = None
    pipeline: Pipeline | None = None
    scaling: Scaling | None = None
    roles: Mapping[str, str] = field(default_factory=dict)  # purpose -> ARN
    parts: tuple[Part, ...] = ()  # everything above as resources, with their owners
    unread: tuple[str, ...] = ()  # what AWS did not let us read, in words

    @property
    def rolls(self) -> bool:
        """Whether ECS itself deploys it, task by task."""
        return self.controller == "ECS"

    @property
    def owned(self) -> tuple[Part, ...]:
        """The resources that a stack claims."""
        return tuple(part for part in self.parts if part.owner)

    def owner(self, arn: str) -> str | None:
        """Who owns a resource."""
        return next((part.owner for part in self.parts if part.arn == arn), None)

    @property
    def production(self) -> Listener | None:
        """The listener of the users: the deployment group's, else the first that gives a group of ours a weight."""
        named = [one for one in self.listeners if self.group and one.arn == self.group.production and not one.rule]
        test = self.group.test if self.group else ""
        leading = [one for one in self.listeners if one.arn != test and any(one.weights.values())]
        return next(iter([*named, *leading]), None)

    @property
    def test(self) -> Listener | None:
        """The listener of versions that are not released; None without one."""
        return next((one for one in self.listeners if self.group and one.arn == self.group.test), None)
