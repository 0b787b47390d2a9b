"""AWS CodePipeline that runs: stages, actions, artifacts, transitions, retries and rollbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import (
    actions,
    again,
    approval,
    bluegreen,
    building,
    catalogue,
    control,
    flow,
    listing,
    polling,
    rolling,
    shows,
    sources,
)
from runbook_lib.sandbox.services.codepipeline.starts import start
from runbook_lib.sandbox.services.codepipeline.store import CodePipelineStore

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

STORE = CodePipelineStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "CreatePipeline": catalogue.create,
    "GetPipeline": catalogue.get,
    "UpdatePipeline": catalogue.update,
    "DeletePipeline": catalogue.delete,
    "ListPipelines": catalogue.list_all,
    "TagResource": catalogue.tag,
    "UntagResource": catalogue.untag,
    "ListTagsForResource": catalogue.tags,
    "StartPipelineExecution": control.start,
    "StopPipelineExecution": control.stop,
    "RetryStageExecution": control.retry,
    "RollbackStage": control.rollback,
    "PutApprovalResult": control.approve,
    "DisableStageTransition": control.disable,
    "EnableStageTransition": control.enable,
    "GetPipelineState": shows.state,
    "GetPipelineExecution": shows.get_execution,
    "ListPipelineExecutions": shows.list_executions,
    "ListActionExecutions": shows.list_actions,
    **listing.OPERATIONS,
}
HANDLERS: dict[str, Callable[..., None]] = {
    "codepipeline.enter": flow.enter,
    "codepipeline.run_actions": flow.run_actions,
    "codepipeline.stage_failed": again.stage_failed,
    "codepipeline.poll": polling.poll,
    "codepipeline.fetch": sources.fetch,
    "codepipeline.built": building.built,
    "codepipeline.fail": actions.fail,
    "codepipeline.approval_expired": approval.expired,
    "codepipeline.roll": rolling.roll,
    "codepipeline.rolling": rolling.rolling,
    "codepipeline.deploy": bluegreen.deploy,
    "codepipeline.deployed": bluegreen.deployed,
}
__all__ = ["HANDLERS", "OPERATIONS", "STORE", "start"]
