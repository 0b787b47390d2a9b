"""The live side of the picture: what AWS says of service, group, load balancer, alarms, pipeline, build and registry.

Names come from outside, so that a system that the runbooks did not make can be looked at as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Names:
    """What the parts of a system are called."""

    cluster: str
    service: str
    application: str
    group: str
    pipeline: str
    project: str
    registry: str
    rule: str


@dataclass(frozen=True)
class TaskSet:
    """One set of tasks of a service that CodeDeploy deploys."""

    id: str
    status: str
    target_group: str  # ARN


@dataclass(frozen=True)
class Service:
    """A service as DescribeServices has it; counts are tasks, `grace` is seconds (None: not set)."""

    name: str
    controller: str
    scheduling: str
    desired: int
    running: int
    revision: str  # ARN of the task definition
    target_groups: tuple[str, ...]  # ARNs
    container: str
    port: int
    capacity: tuple[str, ...]  # names of its capacity providers
    subnets: tuple[str, ...]
    public_ip: bool
    grace: int | None
    connects: bool  # Service Connect
    task_sets: tuple[TaskSet, ...]
    events: tuple[str, ...]

    @property
    def primary(self) -> TaskSet | None:
        """The set that serves production."""
        return next((one for one in self.task_sets if one.status == "PRIMARY"), None)


@dataclass(frozen=True)
class Group:
    """A deployment group as GetDeploymentGroup has it; waits are minutes."""

    name: str
    platform: str  # of its application
    kind: str
    option: str
    config: str
    ready_action: str
    ready_wait: int
    ending: str
    termination_wait: int
    pair: tuple[str, ...]  # names of the target groups
    production: tuple[str, ...]  # ARNs of the listeners
    test: tuple[str, ...]
    alarms: tuple[str, ...]
    watches_alarms: bool
    ignores_unread_alarms: bool
    rollback: frozenset[str]
    role: str
    services: tuple[str, ...]


@dataclass(frozen=True)
class TargetGroup:
    """A target group; times are seconds."""

    name: str
    arn: str
    kind: str
    balancers: tuple[str, ...]
    interval: int
    healthy_threshold: int
    states: tuple[str, ...]  # of its targets


@dataclass(frozen=True)
class Route:
    """Where a listener, or a rule of one, sends requests: weight by the ARN of the target group."""

    listener: str
    rule: str | None
    port: int
    balancer: str
    weights: dict[str, int]

    @property
    def serving(self) -> tuple[str, ...]:
        """The groups that get a share."""
        return tuple(arn for arn, weight in self.weights.items() if weight)


@dataclass(frozen=True)
class Alarm:
    """An alarm; `period` is seconds, `groups` the target groups that it watches, as metrics name them."""

    name: str
    state: str
    period: int
    evaluated: int
    needed: int
    missing: str
    groups: frozenset[str]
    whole_balancer: bool


@dataclass(frozen=True)
class Project:
    """A build project."""

    name: str
    privileged: bool
    environment: str  # LINUX_CONTAINER, ARM_CONTAINER ...
    role: str


@dataclass(frozen=True)
class Registry:
    """An image registry with what it still holds."""

    name: str
    mutable: bool
    digests: frozenset[str]
    tags: frozenset[str]


@dataclass(frozen=True)
class Subnet:
    """A subnet of the service; `way_out` is None when its routes could not be told."""

    id: str
    free: int
    way_out: bool | None


@dataclass(frozen=True)
class Definition:
    """A task definition that is registered."""

    arn: str
    status: str
    images: tuple[str, ...]
    architecture: str
    cpu: str
    memory: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Scaling:
    """The scalable target of the service."""

    smallest: int
    largest: int
    suspended: bool


@dataclass(frozen=True)
class Deployment:
    """A deployment that is under way."""

    id: str
    status: str


@dataclass(frozen=True)
class Grant:
    """What IAM's simulator says of one action of a role; `seen_all` is false where a condition could not be told."""

    rule: str
    role: str
    action: str
    resource: str
    decision: str  # allowed, implicitDeny, explicitDeny; missing: there is no such function
    seen_all: bool


@dataclass(frozen=True)
class Live:
    """Everything that was read of the account; what does not exist is None."""

    names: Names
    service: Service | None = None
    definition: Definition | None = None
    group: Group | None = None
    balancers: dict[str, str] = field(default_factory=dict)  # ARN -> type
    target_groups: tuple[TargetGroup, ...] | None = None
    routes: tuple[Route, ...] | None = None
    alarms: tuple[Alarm, ...] | None = None
    project: Project | None = None
    registry: Registry | None = None
    subnets: tuple[Subnet, ...] | None = None
    scaling: Scaling | None = None
    active: tuple[Deployment, ...] | None = None
    event_pattern: dict[str, object] | None = None
    grants: tuple[Grant, ...] | None = None
    stack: str | None = None  # who owns the service or a listener, as their tags say it
    returnable: int | None = None  # runs on the pipeline's present structure that deployed well

    def group_named(self, name: str) -> TargetGroup | None:
        """The target group of that name."""
        return next((one for one in self.target_groups or () if one.name == name), None)
