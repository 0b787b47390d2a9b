"""What CodePipeline knows: pipelines with all versions of their definitions, runs, and who waits where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

OVER = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
Definition = Mapping[str, Any]


@dataclass
class ActionRun:
    """One run of one action; `external` is the build's, deployment's or commit's own id."""

    id: str
    stage: str
    name: str
    started: float
    configuration: dict[str, str]
    inputs: dict[str, tuple[str, str]]  # artifact -> (bucket, key)
    status: str = "InProgress"
    updated: float = 0.0
    external: str | None = None
    summary: str | None = None
    error: tuple[str, str] | None = None
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    updated_by: str | None = None


@dataclass
class Execution:
    """One run of a pipeline."""

    id: str
    number: int
    pipeline: str
    version: int
    trigger: str
    detail: str
    started: float
    updated: float
    status: str = "InProgress"
    kind: str = "STANDARD"
    target: str | None = None  # the run that a rollback goes back to
    runs: list[ActionRun] = field(default_factory=list)
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    revisions: list[dict[str, Any]] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)  # stage -> status
    reason: str | None = None

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass
class Transition:
    """The way into a stage, closed."""

    reason: str
    by: str
    at: float


@dataclass
class Pipeline:
    """A pipeline: its versions, its closed transitions, who runs in each stage and who waits before it."""

    name: str
    arn: str
    versions: list[Definition]
    created: float
    updated: float
    tags: dict[str, str]
    closed: dict[str, Transition] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)  # stage -> run
    waiting: dict[str, list[str]] = field(default_factory=dict)  # stage -> runs, oldest first
    latest: dict[str, str] = field(default_factory=dict)  # stage -> the run that was last in it

    @property
    def version(self) -> int:
        return len(self.versions)

    @property
    def definition(self) -> Definition:
        return self.versions[-1]

    @property
    def mode(self) -> str:
        return str(self.definition.get("executionMode", "SUPERSEDED"))

    def stage_names(self) -> list[str]:
        return [stage["name"] for stage in self.definition["stages"]]


@dataclass
class CodePipelineStore:
    """Pipelines by name, runs by id, and the tokens of repeated start requests."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)


def store(world: World) -> CodePipelineStore:
    """The world's own."""
    found: CodePipelineStore = world.store("codepipeline")
    return found


def pipeline(world: World, name: str) -> Pipeline:
    """A pipeline by its name."""
    if name not in store(world).pipelines:
        text = f"Account '{world.settings.account}' does not have a pipeline with name '{name}'"
        raise AwsError("PipelineNotFoundException", text)
    return store(world).pipelines[name]


def execution(world: World, name: str, run: str) -> Execution:
    """A run of a pipeline by its id."""
    found = store(world).executions.get(run)
    if found is None or found.pipeline != pipeline(world, name).name:
        text = f"PipelineExecution {run} does not exist in pipeline {name}"
        raise AwsError("PipelineExecutionNotFoundException", text)
    return found


def executions(world: World, name: str) -> list[Execution]:
    """The runs of a pipeline, newest first."""
    own = [run for run in store(world).executions.values() if run.pipeline == name]
    return sorted(own, key=lambda run: run.number, reverse=True)


def stage_of(definition: Definition, name: str) -> dict[str, Any] | None:
    """A stage of a definition by its name."""
    return next((stage for stage in definition["stages"] if stage["name"] == name), None)
