"""What CodePipeline tells EventBridge (CodePipeline user guide, detect-state-changes-cloudwatch-events)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import urls

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution
    from runbook_lib.sandbox.world import World

# The API says Cancelled, the event CANCELED.
WORDS = {
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
    "Stopping": "STOPPING",
    "Superseded": "SUPERSEDED",
    "Cancelled": "CANCELED",
    "Abandoned": "ABANDONED",
}
STARTED, RESUMED = "STARTED", "RESUMED"


def pipeline_changed(world: World, run: Execution, state: str) -> None:
    """A run as a whole has changed."""
    trigger = {"trigger-type": run.trigger, "trigger-detail": run.detail}
    more = {"execution-trigger": trigger} if state == STARTED else {}
    _emit(world, "CodePipeline Pipeline Execution State Change", run, {"state": state, **more})


def stage_changed(world: World, run: Execution, stage: str, state: str) -> None:
    """A stage of a run has changed."""
    _emit(world, "CodePipeline Stage Execution State Change", run, {"stage": stage, "state": state})


def action_changed(world: World, run: Execution, made: ActionRun, state: str) -> None:
    """An action of a run has changed."""
    more: dict[str, Any] = {}
    if state == STARTED and made.inputs:
        more["input-artifacts"] = places(made.inputs)
    if state != STARTED:
        more |= _result(world, made)
    detail = {"stage": made.stage, "action": made.name, "state": state, "region": world.settings.region}
    _emit(world, "CodePipeline Action Execution State Change", run, {**detail, "type": dict(made.kind), **more})


def places(artifacts: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Artifacts with where they lie."""
    return [{"name": name, "s3location": {"bucket": where[0], "key": where[1]}} for name, where in artifacts.items()]


def _result(world: World, made: ActionRun) -> dict[str, Any]:
    told = {
        "external-execution-url": urls.execution(world, made),
        "external-execution-summary": made.error[1] if made.error else made.summary,
        "external-execution-id": made.external,
        "error-code": made.error[0] if made.error else None,
    }
    shown = {key: value for key, value in told.items() if value}
    return {"execution-result": shown} if shown else {}


def _emit(world: World, detail_type: str, run: Execution, detail: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services import events

    common = {
        "pipeline": run.pipeline,
        "execution-id": run.id,
        "start-time": world.datetime(run.started).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "version": float(run.version),
        "pipeline-execution-attempt": float(run.attempt),
    }
    events.emit(
        world,
        source="aws.codepipeline",
        detail_type=detail_type,
        resources=[world.arn("codepipeline", run.pipeline)],
        detail={**common, **detail},
    )
