"""The pipeline: its definition, its runs, and the transition that freezes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.step import Made, Ref, Step
from runbook_lib.system import System, tag_list

SOURCE, BUILD, DEPLOY = "Source", "Build", "Deploy"
SOURCE_ARTIFACT, BUILD_ARTIFACT = "SourceArtifact", "BuildArtifact"
TERMINAL = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})


@dataclass(frozen=True)
class Stage:
    """A stage: whether new runs may enter it, and the run that was last in it (None: never one)."""

    name: str
    open: bool
    closed_because: str | None
    execution: str | None
    status: str | None


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it is; `definition` is what update_pipeline takes back."""

    name: str
    version: int
    definition: dict[str, Any]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def deploy_provider(self) -> str | None:
        """ECS (rolling), CodeDeployToECS (blue/green) or None while there is no deploy action."""
        actions = [a for stage in self.definition["stages"] for a in stage["actions"]]
        found = [a["actionTypeId"]["provider"] for a in actions if a["actionTypeId"]["category"] == "Deploy"]
        return found[0] if found else None


@dataclass(frozen=True)
class Action:
    """One action of one run; `external` is the build's or deployment's own id, None while there is none."""

    stage: str
    name: str
    status: str
    external: str | None
    summary: str | None
    error: str | None


@dataclass(frozen=True)
class Execution:
    """One run of the pipeline, followed by its id."""

    id: str
    status: str
    version: int
    trigger: str
    commit: str | None
    actions: tuple[Action, ...] = ()

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    def action(self, stage: str) -> Action | None:
        """The last action of a stage in this run, None while it has not begun."""
        return next((action for action in self.actions if action.stage == stage), None)

    @property
    def failure(self) -> str | None:
        """What the first failed action said, None when none failed."""
        for action in self.actions:
            if action.status == "Failed":
                return f"{action.stage}/{action.name}: {action.error or action.summary or 'no message'}"
        return None


def read_pipeline(account: Account, system: System) -> Pipeline | None:
    """The system's pipeline with its stages' states, None while it does not exist."""
    client = account.client("codepipeline")
    try:
        found = client.get_pipeline(name=system.pipeline)["pipeline"]
    except client.exceptions.PipelineNotFoundException:
        return None
    state = client.get_pipeline_state(name=system.pipeline)
    stages = tuple(_stage(stage) for stage in state["stageStates"])
    return Pipeline(system.pipeline, found["version"], found, stages)


def read_former_definition(account: Account, system: System, version: int) -> dict[str, Any]:
    """The definition of an older version: AWS keeps them, so that it can be restored."""
    return account.client("codepipeline").get_pipeline(name=system.pipeline, version=version)["pipeline"]


def read_executions(account: Account, system: System, *, most: int = 20) -> tuple[Execution, ...]:
    """The latest runs, newest first, without their actions; none of a pipeline that is not there."""
    client = account.client("codepipeline")
    try:
        found = client.list_pipeline_executions(pipelineName=system.pipeline, maxResults=most)
    except client.exceptions.PipelineNotFoundException:
        return ()
    return tuple(_execution(summary) for summary in found["pipelineExecutionSummaries"])


def read_execution(account: Account, system: System, execution: str) -> Execution:
    """One run with its actions, newest action first."""
    client = account.client("codepipeline")
    found = client.get_pipeline_execution(pipelineName=system.pipeline, pipelineExecutionId=execution)
    only = {"pipelineExecutionId": execution}
    actions = client.list_action_executions(pipelineName=system.pipeline, filter=only)["actionExecutionDetails"]
    revisions = found["pipelineExecution"].get("artifactRevisions", ())
    return Execution(
        id=execution,
        status=found["pipelineExecution"]["status"],
        version=found["pipelineExecution"]["pipelineVersion"],
        trigger=found["pipelineExecution"].get("trigger", {}).get("triggerType", ""),
        commit=next((revision["revisionId"] for revision in revisions), None),
        actions=tuple(_action(action) for action in actions),
    )


def find_execution(account: Account, system: System, commit: str) -> Execution | None:
    """The newest run that builds this commit, None while there is none."""
    return next((run for run in read_executions(account, system) if run.commit == commit), None)


def plan_pipeline(system: System, pipeline: Pipeline | None, items: Iterable[Item]) -> tuple[Step, ...]:
    """The step that makes the pipeline with Source and Build; AWS starts a first run of it at once."""
    return (
        make(
            "pipeline",
            "Make the pipeline with Source and Build",
            "codepipeline:create_pipeline",
            {"pipeline": _definition(system), "tags": tag_list(system.tags, key="key", value="value")},
            made=Made("codepipeline:pipeline", system.pipeline),
            found={"pipeline": {"name": pipeline.name}} if pipeline else None,
            items=items,
        ),
    )


def plan_rolling_stage(system: System, pipeline: Pipeline) -> Step:
    """The step that adds the Deploy stage with a rolling deployment."""
    stage = {"name": DEPLOY, "actions": [_rolling_action(system)]}
    definition = {**pipeline.definition, "stages": [*pipeline.definition["stages"], stage]}
    return plan_definition(
        system,
        pipeline,
        pipeline.definition if pipeline.stage(DEPLOY) else definition,
        step="pipeline.deploy",
        why="nothing deploys what was built",
    )


def plan_definition(system: System, pipeline: Pipeline, definition: Mapping[str, Any], *, step: str, why: str) -> Step:
    """The step that gives the pipeline a definition; the former version stays readable and can be restored."""
    wanted = {key: value for key, value in definition.items() if key != "version"}
    now = {key: value for key, value in pipeline.definition.items() if key != "version"}
    return change(
        step,
        "Change the pipeline's definition",
        "codepipeline:update_pipeline",
        {"pipeline": wanted},
        touches=system.pipeline,
        needed=None if wanted == now else why,
        undo=f"restore version {pipeline.version}; stage rollback targets of the former structure are lost",
    )


def plan_freeze(system: System, pipeline: Pipeline, *, reason: str) -> Step:
    """The step that lets no run enter Deploy."""
    stage = pipeline.stage(DEPLOY)
    # AWS takes letters, digits and few signs here, at most 300.
    plain = "".join(letter if letter.isalnum() or letter in "!@ ().*?-" else "-" for letter in reason)[:300]
    return change(
        "pipeline.freeze",
        "Let no run enter Deploy",
        "codepipeline:disable_stage_transition",
        {
            "pipelineName": system.pipeline,
            "stageName": DEPLOY,
            "transitionType": "Inbound",
            "reason": plain,
        },
        touches=f"{system.pipeline}/{DEPLOY}",
        needed=reason if stage and stage.open else None,
        already="it is closed already" if stage else "there is no Deploy stage",
        undo="enable the transition again",
    )


def plan_unfreeze(system: System, pipeline: Pipeline, *, why: str) -> Step:
    """The step that lets runs enter Deploy again."""
    stage = pipeline.stage(DEPLOY)
    return change(
        "pipeline.unfreeze",
        "Let runs enter Deploy again",
        "codepipeline:enable_stage_transition",
        {"pipelineName": system.pipeline, "stageName": DEPLOY, "transitionType": "Inbound"},
        touches=f"{system.pipeline}/{DEPLOY}",
        needed=why if stage and not stage.open else None,
        already="it is open already",
        undo="disable the transition again",
    )


def plan_start(system: System, *, step: str, why: str) -> Step:
    """The step that starts a run of the pipeline on the head of its branch."""
    return change(
        step,
        "Start a run of the pipeline",
        "codepipeline:start_pipeline_execution",
        {"name": system.pipeline},
        touches=system.pipeline,
        needed=why,
        undo="stop the run",
    )


def plan_stage_rollback(system: System, target: str, *, why: str) -> Step:
    """The step that runs the Deploy stage again with an earlier run's artifacts."""
    return change(
        "pipeline.rollback",
        "Roll the Deploy stage back",
        "codepipeline:rollback_stage",
        {"pipelineName": system.pipeline, "stageName": DEPLOY, "targetPipelineExecutionId": target},
        touches=f"{system.pipeline}/{DEPLOY}",
        needed=why,
        undo="roll the stage back to the other run",
    )


EXECUTION = "pipelineExecutionId"


def execution_ref(step: str) -> Ref:
    """The id of the run that a step of the same plan started."""
    return Ref(step, EXECUTION)


def _definition(system: System) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "name": system.pipeline,
        "roleArn": system.role_arn("pipeline"),
        "artifactStore": {"type": "S3", "location": system.artifacts_bucket},
        "pipelineType": system.params.pipeline.type,
        "executionMode": system.params.pipeline.mode,
        "stages": [
            {"name": SOURCE, "actions": [_source_action(system)]},
            {"name": BUILD, "actions": [_build_action(system)]},
        ],
    }
    return definition


def _source_action(system: System) -> dict[str, Any]:
    return {
        "name": "Checkout",
        "runOrder": 1,
        "namespace": "SourceVariables",
        **(_from_git_host(system) if system.from_git_host else _from_codecommit(system)),
        "inputArtifacts": [],
        "outputArtifacts": [{"name": SOURCE_ARTIFACT}],
    }


def _from_codecommit(system: System) -> dict[str, Any]:
    configuration = {
        "RepositoryName": system.repository,
        "BranchName": system.branch,
        # The rule starts the pipeline; polling beside it would start every run twice.
        "PollForSourceChanges": "false",
        "OutputArtifactFormat": system.params.repository.artifact,
    }
    return {"actionTypeId": _type("Source", "CodeCommit"), "configuration": configuration}


def _from_git_host(system: System) -> dict[str, Any]:
    configuration = {
        "ConnectionArn": system.connection,
        "FullRepositoryId": system.repository,
        "BranchName": system.branch,
        # The connection tells the pipeline of a push: there is no rule of EventBridge.
        "DetectChanges": "true",
        "OutputArtifactFormat": system.params.repository.artifact,
    }
    return {"actionTypeId": _type("Source", "CodeStarSourceConnection"), "configuration": configuration}


def _build_action(system: System) -> dict[str, Any]:
    return {
        "name": "DockerBuild",
        "runOrder": 1,
        "namespace": "BuildVariables",
        "actionTypeId": _type("Build", "CodeBuild"),
        "configuration": {"ProjectName": system.project},
        "inputArtifacts": [{"name": SOURCE_ARTIFACT}],
        "outputArtifacts": [{"name": BUILD_ARTIFACT}],
    }


def _rolling_action(system: System) -> dict[str, Any]:
    return {
        "name": "Deploy",
        "runOrder": 1,
        "actionTypeId": _type("Deploy", "ECS"),
        "configuration": {
            "ClusterName": system.cluster,
            "ServiceName": system.rolling_service,
            "FileName": "imagedefinitions.json",
        },
        "inputArtifacts": [{"name": BUILD_ARTIFACT}],
        "outputArtifacts": [],
    }


def _type(category: str, provider: str) -> dict[str, str]:
    return {"category": category, "owner": "AWS", "provider": provider, "version": "1"}


def _stage(found: Mapping[str, Any]) -> Stage:
    transition, latest = found.get("inboundTransitionState", {}), found.get("latestExecution", {})
    return Stage(
        name=found["stageName"],
        open=transition.get("enabled", True),
        closed_because=transition.get("disabledReason"),
        execution=latest.get("pipelineExecutionId"),
        status=latest.get("status"),
    )


def _execution(found: Mapping[str, Any]) -> Execution:
    return Execution(
        id=found["pipelineExecutionId"],
        status=found["status"],
        version=found.get("pipelineVersion", 0),
        trigger=found.get("trigger", {}).get("triggerType", ""),
        commit=next((revision.get("revisionId") for revision in found.get("sourceRevisions", ())), None),
    )


def _action(found: Mapping[str, Any]) -> Action:
    result = found.get("output", {}).get("executionResult", {})
    error = result.get("errorDetails") or {}
    return Action(
        stage=found["stageName"],
        name=found["actionName"],
        status=found["status"],
        external=result.get("externalExecutionId"),
        summary=result.get("externalExecutionSummary"),
        error=": ".join(text for text in (error.get("code"), error.get("message")) if text) or None,
    )
