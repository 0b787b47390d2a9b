"""What CodePipeline knows: pipelines with all versions of their definitions, runs, and who waits where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

OVER = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
IN_PROGRESS = "InProgress"
Definition = Mapping[str, Any]
Place = tuple[str, str]  # bucket and key


@dataclass
class ActionRun:
    """One run of one action; `external` is the build's, deployment's or commit's own id."""

    id: str
    stage: str
    declared: Definition  # the action in the version of the pipeline that this run belongs to
    started: float
    configuration: dict[str, str]  # with its variables resolved
    inputs: dict[str, Place]
    status: str = IN_PROGRESS
    updated: float = 0.0
    external: str | None = None
    summary: str | None = None
    error: tuple[str, str] | None = None
    outputs: dict[str, Place] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    updated_by: str | None = None

    @property
    def name(self) -> str:
        return str(self.declared["name"])

    @property
    def kind(self) -> Mapping[str, str]:
        """Category, owner, provider and version."""
        found: Mapping[str, str] = self.declared["actionTypeId"]
        return found

    @property
    def in_progress(self) -> bool:
        return self.status == IN_PROGRESS


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
    status: str = IN_PROGRESS
    attempt: int = 1
    target: str | None = None  # the run that a rollback goes back to; None for a run that is none
    runs: list[ActionRun] = field(default_factory=list)
    artifacts: dict[str, Place] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)  # source action -> the revision that was asked for
    revisions: list[dict[str, Any]] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)  # stage -> status
    begun: dict[str, int] = field(default_factory=dict)  # stage -> the first of `runs` that counts in it
    retries: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage -> its retryStageMetadata
    reason: str | None = None

    @property
    def over(self) -> bool:
        return self.status in OVER

    @property
    def kind(self) -> str:
        return "ROLLBACK" if self.target else "STANDARD"

    def newest(self, stage: str) -> dict[str, ActionRun]:
        """The last run of each action of a stage, by the action's name."""
        return {one.name: one for one in self.runs[self.begun.get(stage, 0) :] if one.stage == stage}


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
    heads: dict[str, str] = field(default_factory=dict)  # source action that polls -> what it saw last
    refs: dict[str, dict[str, str]] = field(default_factory=dict)  # source action with a trigger -> branches and tags

    @property
    def version(self) -> int:
        return len(self.versions)

    @property
    def definition(self) -> Definition:
        return self.versions[-1]

    @property
    def mode(self) -> str:
        return str(self.definition["executionMode"])

    def stage_names(self) -> list[str]:
        return [stage["name"] for stage in self.definition["stages"]]

    def stage_for(self, run: Execution, name: str) -> Definition:
        """A stage as it is in the version that a run belongs to."""
        found = stage_of(self.versions[run.version - 1], name)
        assert found is not None, f"{run.id} runs in a stage {name} that version {run.version} does not have"
        return found


@dataclass
class CodePipelineStore:
    """Pipelines by name, runs by id, and the tokens of repeated start requests."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    requests: dict[tuple[str, str], str] = field(default_factory=dict)


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


def find_execution(world: World, name: str, run: str) -> Execution | None:
    """A run of a pipeline by its id; None when the pipeline has no such run."""
    wanted, found = pipeline(world, name).name, store(world).executions.get(run)
    return found if found is not None and found.pipeline == wanted else None


def execution(world: World, name: str, run: str) -> Execution:
    """A run of a pipeline by its id."""
    found = find_execution(world, name, run)
    if found is None:
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
