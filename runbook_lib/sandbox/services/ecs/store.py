"""What Amazon ECS knows: clusters, task definitions, services with their task sets, and tasks.

Everything that crosses a module is a frozen value; a change replaces the value in the store. A deployment of a service
with the ECS controller and a task set of one with the CODE_DEPLOY controller are the same thing here, as their ids on
AWS are (ecs-svc/...): a set of tasks of one revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

KEPT = 3600.0  # seconds that stopped tasks and deleted services are shown; ECS developer guide, stopped-task-errors


@dataclass(frozen=True)
class Cluster:
    """A cluster; a deleted one is INACTIVE."""

    arn: str
    name: str
    status: str
    settings: tuple[Mapping[str, str], ...]
    configuration: Mapping[str, Any]
    capacity_providers: tuple[str, ...]
    default_strategy: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Binding:
    """Where the tasks of a service are registered: a target group, and the container's port behind it."""

    target_group: str  # ARN
    container: str
    port: int


@dataclass(frozen=True)
class Network:
    """Where the tasks of a set get their interfaces."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool


@dataclass(frozen=True)
class TaskSet:
    """The tasks of one revision in a service; `status` is PRIMARY, ACTIVE or DRAINING."""

    id: str
    service: str  # ARN
    status: str
    task_definition: str  # ARN
    bindings: tuple[Binding, ...]
    network: Network | None  # None where tasks have no interface of their own
    platform_version: str
    created: float
    updated: float
    external_id: str | None = None  # of the CodeDeploy deployment that made it
    started_by: str | None = None
    scale: float = 100.0  # percent of the service's desired count
    steady: bool = False
    steady_changed: float = 0.0
    was_steady: bool = False  # ever
    pinned: Mapping[str, str] = field(default_factory=dict)  # container -> image by digest, once it was resolved
    rollout: str | None = None  # of a rolling deployment only
    rollout_reason: str = ""
    failed_tasks: int = 0  # that never became healthy, since the last one that did
    failures: int = 0  # rounds of tasks that did not start, since the last one that did
    failed_at: float | None = None
    retry_at: float = 0.0  # no task is started before
    capacity: tuple[Mapping[str, Any], ...] = ()  # capacity providers as they were asked for; none: the launch type

    @property
    def group(self) -> str | None:
        """The ARN of the first target group, None without a load balancer."""
        return self.bindings[0].target_group if self.bindings else None


@dataclass(frozen=True)
class Event:
    """What a service says about itself."""

    id: str
    at: float
    message: str


@dataclass(frozen=True)
class Service:
    """A service; what its primary task set holds stands there."""

    arn: str
    name: str
    cluster: str  # ARN
    status: str  # ACTIVE, DRAINING, INACTIVE
    controller: str  # ECS or CODE_DEPLOY
    desired: int
    primary: str  # id of a task set
    created: float
    created_by: str
    grace: int | None  # seconds; None without a load balancer
    launch_type: str
    scheduling: str
    minimum_percent: int
    maximum_percent: int
    circuit_breaker: Mapping[str, bool]
    options: Mapping[str, Any]  # what is kept and answered only, by its name in the API
    rolled: str = "COMPLETED"  # how the last deployment that somebody asked for stands
    settled: bool = False  # whether the newest deployment is steady and alone; with the ECS controller only
    last_good: TaskSet | None = None  # the last deployment that completed; with the ECS controller only
    closed: TaskSet | None = None  # the last task set of an INACTIVE service
    closed_at: float | None = None


@dataclass(frozen=True)
class Interface:
    """A network interface of a task or a load balancer."""

    id: str
    subnet: str
    vpc: str
    zone: str
    ip: str
    mac: str
    public_ip: str | None
    groups: tuple[str, ...]
    description: str
    made: float


@dataclass(frozen=True)
class Container:
    """A container of a task."""

    name: str
    image: str
    essential: bool
    arn: str
    runtime_id: str | None = None  # from its start on
    digest: str | None = None  # of its image, from the pull on
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"


@dataclass(frozen=True)
class Task:
    """A task; times are None until they come.

    `environment` is that of its main container: the image's under the task definition's. `answers_from` is when its
    process listens, `ended` when its process ended.
    """

    id: str
    arn: str
    cluster: str
    group: str
    task_definition_arn: str
    started_by: str  # id of the task set, or what run_task was told
    service: str | None  # ARN
    bindings: tuple[Binding, ...]
    network: Network | None
    platform_version: str
    containers: tuple[Container, ...]
    main: str  # name of the container that serves
    environment: Mapping[str, str]
    overrides: Mapping[str, Any]
    tags: Mapping[str, str]
    created: float
    status: str = "PROVISIONING"
    desired: str = "RUNNING"
    interface: Interface | None = None
    attachment: str = ""
    connected: float | None = None
    pull_started: float | None = None
    pull_stopped: float | None = None
    started_at: float | None = None
    answers_from: float | None = None
    ended: float | None = None
    stopping: float | None = None
    execution_stopped: float | None = None
    stopped: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    was_ready: bool = False

    @property
    def ip(self) -> str:
        """Its private address, empty without an interface."""
        return self.interface.ip if self.interface else ""

    @property
    def zone(self) -> str:
        """Its availability zone, empty without an interface."""
        return self.interface.zone if self.interface else ""

    @property
    def port(self) -> int:
        """The port behind the load balancer, 0 without one."""
        return self.bindings[0].port if self.bindings else 0

    @property
    def image(self) -> str:
        """The image of its main container."""
        return next(container.image for container in self.containers if container.name == self.main)

    @property
    def live(self) -> bool:
        """Whether it is meant to run."""
        return self.desired == "RUNNING" and self.status != "STOPPED"

    @property
    def counts_as_running(self) -> bool:
        """Whether runningCount holds it: a task that drains its connections still runs."""
        return self.status in ("RUNNING", "DEACTIVATING")

    @property
    def counts_as_pending(self) -> bool:
        """Whether pendingCount holds it."""
        return self.live and self.status in ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass(frozen=True)
class Revision:
    """What a service was to be from some moment on: the task set as it was made."""

    arn: str
    task_set: TaskSet
    launch_type: str


@dataclass(frozen=True)
class Rollout:
    """A service deployment with the ECS controller; `rollback` is its reason, its time and the revision, once begun."""

    arn: str
    service: str  # ARN
    sources: tuple[str, ...]  # ARNs of revisions
    target: str
    created: float
    updated: float
    status: str = "IN_PROGRESS"
    reason: str = ""
    finished: float | None = None
    rollback: tuple[str, float, str] | None = None


@dataclass
class EcsStore:
    """All of it; task definitions as the API describes them, by ARN."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    task_definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)  # family -> the last number given
    services: dict[str, Service] = field(default_factory=dict)
    task_sets: dict[str, TaskSet] = field(default_factory=dict)  # by id, oldest first
    tasks: dict[str, Task] = field(default_factory=dict)  # by ARN, oldest first
    events: dict[str, list[Event]] = field(default_factory=dict)  # service ARN -> newest first
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    account_settings: dict[str, dict[str, str]] = field(default_factory=dict)  # principal or "" -> name -> value
    addresses: dict[str, Any] = field(default_factory=dict)  # subnet id -> its book of addresses
    interfaces: dict[str, Interface] = field(default_factory=dict)  # by id, until they are released
    service_revisions: dict[str, Revision] = field(default_factory=dict)  # by ARN
    revision_of: dict[str, str] = field(default_factory=dict)  # id of a task set -> ARN of its revision
    rollouts: dict[str, Rollout] = field(default_factory=dict)  # by ARN, oldest first


def store(world: World) -> EcsStore:
    """The world's own."""
    found: EcsStore = world.store("ecs")
    return found


def put(world: World, changed: Service | TaskSet | Task) -> None:
    """Replace a service, a task set or a task."""
    kept = store(world)
    if isinstance(changed, Service):
        kept.services[changed.arn] = changed
    elif isinstance(changed, TaskSet):
        kept.task_sets[changed.id] = changed
    else:
        before = kept.tasks.get(changed.arn)
        kept.tasks[changed.arn] = changed
        if before is None or (before.status, before.desired) != (changed.status, changed.desired):
            _announce(world, changed)


def _announce(world: World, task: Task) -> None:
    from runbook_lib.sandbox.services.ecs import notices

    notices.task_changed(world, task)


def change_set(world: World, set_id: str, **changes: Any) -> TaskSet:
    """Replace fields of a task set; it counts as updated now."""
    changed = replace(store(world).task_sets[set_id], updated=world.now, **changes)
    put(world, changed)
    return changed


def change_service(world: World, arn: str, **changes: Any) -> Service:
    """Replace fields of a service."""
    changed = replace(store(world).services[arn], **changes)
    put(world, changed)
    return changed


def change_task(world: World, task: Task, **changes: Any) -> Task:
    """Replace fields of a task."""
    changed = replace(task, **changes)
    put(world, changed)
    return changed


def sets_of(world: World, service_arn: str) -> tuple[TaskSet, ...]:
    """The task sets of a service: the primary one first, then the newest."""
    primary = store(world).services[service_arn].primary
    found = [one for one in reversed(store(world).task_sets.values()) if one.service == service_arn]
    return tuple(sorted(found, key=lambda one: one.id != primary))


def tasks_of(world: World, *, service: str | None = None, task_set: str | None = None) -> tuple[Task, ...]:
    """The tasks of a service or of a task set, oldest first; stopped ones are kept for an hour."""
    return tuple(
        task
        for task in store(world).tasks.values()
        if (service is None or task.service == service) and (task_set is None or task.started_by == task_set)
    )


def primary_set(world: World, service: Service) -> TaskSet:
    """The task set that a service shows as its own, be it the last one of a deleted service."""
    return service.closed or store(world).task_sets[service.primary]


def forget_old_tasks(world: World) -> None:
    """Forget the tasks that stopped more than an hour ago."""
    kept = store(world).tasks
    old = [arn for arn, task in kept.items() if (task.stopped or world.now) < world.now - KEPT]
    for arn in old:
        del kept[arn]
