"""What CodePipeline tells EventBridge (CodePipeline user guide, detect-state-changes-cloudwatch-events)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    "InProgress": "RESUMED",
}


def pipeline_changed(world: World, run: Execution, state: str) -> None:
    """A run as a whole has changed."""
    _emit(world, "CodePipeline Pipeline Execution State Change", run, {"state": state})


def stage_changed(world: World, run: Execution, stage: str, state: str) -> None:
    """A stage of a run has changed."""
    _emit(world, "CodePipeline Stage Execution State Change", run, {"stage": stage, "state": state})


def action_changed(world: World, run: Execution, made: ActionRun, state: str) -> None:
    """An action of a run has changed."""
    detail = {"stage": made.stage, "action": made.name, "state": state, "region": world.settings.region}
    _emit(world, "CodePipeline Action Execution State Change", run, detail)


def _emit(world: World, detail_type: str, run: Execution, detail: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services import events

    common = {
        "pipeline": run.pipeline,
        "execution-id": run.id,
        "version": float(run.version),
        "start-time": world.datetime(run.started).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    events.emit(
        world,
        source="aws.codepipeline",
        detail_type=detail_type,
        resources=[world.arn("codepipeline", run.pipeline)],
        detail={**common, **detail},
    )
