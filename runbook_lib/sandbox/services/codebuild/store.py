"""What CodeBuild remembers: projects, builds, and of a running build what is needed to go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.sandbox.services.codebuild.buildspec import Spec
from runbook_lib.sandbox.shims.wire import Exchange

IN_PROGRESS, SUCCEEDED, FAILED, STOPPED, TIMED_OUT = "IN_PROGRESS", "SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT"
PIPELINE = "CODEPIPELINE"


@dataclass(frozen=True)
class Place:
    """An object in S3."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Order:
    """What a pipeline asks for beside the project: its artifacts by name, the first of them the primary one."""

    sources: Mapping[str, Place] = field(default_factory=dict)
    outputs: Mapping[str, Place] = field(default_factory=dict)
    revision: str = ""
    connections: tuple[str, ...] = ()  # ARNs, of repositories too, from which the build clones its source itself


@dataclass(frozen=True)
class Plan:
    """What a build was started with; later changes of the project do not touch it."""

    project: str
    settings: Mapping[str, Any]  # the project's, with the overrides of the call
    source_version: str | None
    order: Order | None  # None unless a pipeline started the build

    @property
    def source(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.settings["source"]
        return found

    @property
    def environment(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.settings["environment"]
        return found


@dataclass
class Phase:
    """A phase of a build; ended and status are None while it runs, COMPLETED has no status."""

    type: str
    started: float
    ended: float | None = None
    status: str | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Source:
    """What was downloaded for one source: a zip, the revision and where it came from."""

    packed: bytes
    revision: str
    url: str


@dataclass(frozen=True)
class Attempt:
    """One run of the shell for a phase, from one of its commands on: what it wrote and whom it asked what."""

    phase: str
    start: int
    succeeding: bool
    exit_code: int
    output: str
    exchanges: tuple[Exchange, ...]


@dataclass
class Collected:
    """The files of one artifact and what the agent says of them; problem is set when there is no artifact."""

    said: list[str] = field(default_factory=list)
    packed: bytes = b""
    problem: str = ""


@dataclass
class Run:
    """The inside of a running build; it is dropped when the build is over.

    `memo` is the key of the run that is played back, "" while commands are really run; `played` are the exchanges of
    the current attempt that were made again, `sleeping` is the one that waits for its time; `start` is the command from
    which it goes on, `begun` the time of that.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    spec: Spec | None = None
    variables: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    folder: str = ""
    key: str = ""
    memo: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    played: list[Exchange] = field(default_factory=list)
    sleeping: Exchange | None = None
    start: int = 0
    begun: float = 0.0
    child: str = ""
    collected: dict[str, Collected] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)


@dataclass
class Build:
    """A build: everything that BatchGetBuilds tells, and its inside while it runs."""

    id: str
    number: int
    plan: Plan
    initiator: str
    started: float
    on_done: tuple[Any, ...]
    status: str = IN_PROGRESS
    ended: float | None = None
    resolved: str = ""
    phases: list[Phase] = field(default_factory=list)
    exported: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, dict[str, Any]] = field(default_factory=dict)
    log_ready: bool = False
    run: Run = field(default_factory=Run)

    @property
    def over(self) -> bool:
        return self.ended is not None

    @property
    def phase(self) -> Phase:
        """The phase that runs, or the last one."""
        return self.phases[-1]

    @property
    def uuid(self) -> str:
        return self.id.rpartition(":")[2]

    @property
    def succeeding(self) -> bool:
        """Whether every phase so far went well."""
        return all(phase.status in (None, SUCCEEDED) for phase in self.phases)


@dataclass
class Project:
    """A project: the settings as the caller gave them."""

    name: str
    created: float
    modified: float
    settings: dict[str, Any]
    builds: int = 0


@dataclass(frozen=True)
class Token:
    """What was started with an idempotency token, when, and by which parameters."""

    made: float
    build: str
    params: Mapping[str, Any]


@dataclass
class CodeBuildStore:
    """Everything of one account and region; refuse_docker_hub makes anonymous pulls run into the rate limit."""

    projects: dict[str, Project] = field(default_factory=dict)
    builds: dict[str, Build] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    refuse_docker_hub: bool = False
