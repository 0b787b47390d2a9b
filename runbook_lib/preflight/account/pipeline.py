"""What CodePipeline and EventBridge say: the pipeline, its runs that one can return to, and what starts it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runbook_lib.preflight.live import Names
from runbook_lib.preflight.picture import Pipeline

if TYPE_CHECKING:
    from runbook_lib.account import Account

MOST_RUNS = 5  # good ones that are looked at, the newest first


def read_pipeline(account: Account, names: Names) -> Pipeline:
    """The structure of the pipeline."""
    found = account.client("codepipeline").get_pipeline(name=names.pipeline)["pipeline"]
    return Pipeline(f"pipeline {names.pipeline}", found)


def read_returnable(account: Account, names: Names) -> int:
    """How many of the last good runs are on the pipeline's present structure."""
    client = account.client("codepipeline")
    version = client.get_pipeline(name=names.pipeline)["pipeline"]["version"]
    runs = client.list_pipeline_executions(pipelineName=names.pipeline, maxResults=50)["pipelineExecutionSummaries"]
    good = [run["pipelineExecutionId"] for run in runs if run["status"] == "Succeeded"][:MOST_RUNS]
    found = (client.get_pipeline_execution(pipelineName=names.pipeline, pipelineExecutionId=id) for id in good)
    return sum(one["pipelineExecution"]["pipelineVersion"] == version for one in found)


def read_starter(account: Account, rule: str) -> str | None:
    """ARN of the role with which the event rule starts the pipeline; None when no target names one."""
    targets = account.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    return next((target["RoleArn"] for target in targets if "RoleArn" in target), None)


def read_event_pattern(account: Account, rule: str) -> dict[str, object] | None:
    """What the event rule waits for, {} for one without a pattern; None when the rule is disabled."""
    found = account.client("events").describe_rule(Name=rule)
    pattern: dict[str, object] = json.loads(found["EventPattern"]) if "EventPattern" in found else {}
    return pattern if found["State"] == "ENABLED" else None
