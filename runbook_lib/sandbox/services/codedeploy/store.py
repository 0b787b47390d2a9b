"""What CodeDeploy remembers: applications, groups, configurations, revisions and deployments, all of it picklable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runbook_lib.sandbox.services.codedeploy.appspec import AppSpec
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.role import Grants

TERMINAL = ("Succeeded", "Failed", "Stopped")


@dataclass(frozen=True)
class Increment:
    """One change of the production weights: green's share in percent, then how long it is held."""

    percent: int
    hold_minutes: int


@dataclass
class DeploymentConfig:
    """A named way to shift traffic, or for servers a minimum of healthy hosts."""

    name: str
    id: str
    platform: str
    created: float
    routing: dict[str, Any] | None = None
    healthy_hosts: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Revision:
    """A revision by its location; content is None for what lies in S3."""

    location: dict[str, Any]
    content: str | None
    description: str
    registered: float
    first_used: float | None = None
    last_used: float | None = None


@dataclass
class Group:
    """A deployment group; settings are kept as the caller gave them, with the defaults filled in."""

    id: str
    name: str
    settings: dict[str, Any]
    tags: dict[str, str]
    target_revision: str | None = None
    last_successful: str | None = None
    last_attempted: str | None = None


@dataclass
class Application:
    """An application with its groups and revisions."""

    name: str
    id: str
    platform: str
    created: float
    tags: dict[str, str]
    groups: dict[str, Group] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)


@dataclass
class LifecycleEvent:
    """One line of a target's lifecycle; times are None until it starts and ends."""

    name: str
    status: str = "Pending"
    started: float | None = None
    ended: float | None = None
    diagnostics: dict[str, str] | None = None


@dataclass(frozen=True)
class Side:
    """A task set and the target group that it serves through."""

    task_set: str
    target_group: str


@dataclass(frozen=True)
class HookRun:
    """A Lambda hook that was invoked and has not answered yet."""

    event: str
    function: str
    execution_id: str


@dataclass(frozen=True)
class Plan:
    """What a deployment was created with; later changes of the group do not touch it."""

    application: str
    group: str
    group_id: str
    role: str
    config: str
    increments: tuple[Increment, ...]
    cluster: str
    service: str
    target_groups: tuple[str, ...]
    production: str
    test: str | None
    style: dict[str, Any]
    blue_green: dict[str, Any]
    load_balancer: dict[str, Any]
    auto_rollback: dict[str, Any]
    alarms: dict[str, Any]
    override_alarms: dict[str, Any] | None
    triggers: tuple[dict[str, Any], ...]


@dataclass
class Deployment:
    """One deployment. Unless it is over it always waits until `deadline` to do `step`."""

    id: str
    plan: Plan
    revision: str
    previous_revision: str | None
    creator: str
    description: str
    created: float
    touched: float
    events: list[LifecycleEvent]
    on_done: tuple[Any, ...] = ()
    status: str = "Created"
    started: float | None = None
    completed: float | None = None
    appspec: AppSpec | None = None
    grants: Grants = field(default_factory=Grants)
    error: Failure | None = None
    rolls_back: str | None = None
    rolled_back_by: str | None = None
    rollback_message: str = ""
    blue: Side | None = None
    green: Side | None = None
    cursor: int = 0
    step: str = ""
    deadline: float | None = None
    next_tick: float = 0.0
    serial: int = 0
    increment: int = 0
    waiting: str = ""
    hook: HookRun | None = None
    stop_with_rollback: bool | None = None
    stopped_by_request: bool = False
    past_stopping: bool = False
    changed_routes: list[str] = field(default_factory=list)
    desired: int | None = None
    scaled_at: float | None = None
    final_task_sets: list[dict[str, Any]] | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def event(self) -> LifecycleEvent:
        """The event that runs or is next."""
        return self.events[self.cursor]

    @property
    def event_name(self) -> str:
        """The name of the lifecycle event that runs; empty before the first and after the last."""
        running = [event.name for event in self.events if event.status == "InProgress"]
        return running[0] if running else ""

    @property
    def target_id(self) -> str:
        return f"{self.plan.cluster}:{self.plan.service}"


@dataclass
class CodeDeployStore:
    """Everything of one account and region."""

    applications: dict[str, Application] = field(default_factory=dict)
    configs: dict[str, DeploymentConfig] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
