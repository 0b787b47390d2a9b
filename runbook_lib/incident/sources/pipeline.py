"""Runs of the pipeline and their builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links
from runbook_lib.incident.told import Entry, Told
from runbook_lib.system import System

PIPELINE, BUILD = "CodePipeline", "CodeBuild"
KEPT_DAYS = 365  # CodePipeline keeps a year of runs (user guide, limits)


def runs(account: Account, system: System, window: Window) -> Told:
    """When runs began and ended, for which commit, and which of their actions failed."""
    client = account.client("codepipeline")
    entries: list[Entry] = []
    for run in _runs(client, system, window):
        entries += [entry for entry in _of_run(client, system, run) if window.holds(entry.at)]
    return Told(PIPELINE, tuple(entries))


def builds(account: Account, system: System, window: Window) -> Told:
    """When the builds of those runs began and ended, and the phase that failed."""
    pipeline = account.client("codepipeline")
    ids = [
        action["output"]["executionResult"]["externalExecutionId"]
        for run in _runs(pipeline, system, window)
        for action in _actions(pipeline, system, run["pipelineExecutionId"])
        if action["input"]["actionTypeId"]["provider"] == "CodeBuild"
        and action.get("output", {}).get("executionResult", {}).get("externalExecutionId")
    ]
    # BatchGetBuilds takes at most 100 ids.
    found = account.client("codebuild").batch_get_builds(ids=ids[:100])["builds"] if ids else []
    entries = [entry for build in found for entry in _of_build(system, build) if window.holds(entry.at)]
    return Told(BUILD, tuple(entries), missing=f"{len(ids)} builds, the first 100 were read" if len(ids) > 100 else "")


def _runs(client: Any, system: System, window: Window) -> Iterator[Mapping[str, Any]]:
    """The runs that were alive in the window, newest first."""
    try:
        pages = client.get_paginator("list_pipeline_executions").paginate(pipelineName=system.pipeline)
        for page in pages:
            for run in page["pipelineExecutionSummaries"]:
                if run["lastUpdateTime"] >= window.start and run["startTime"] < window.end:
                    yield run
                if run["startTime"] < window.start:
                    return  # newest first: what is older has ended before, but for a run that waits
    except client.exceptions.PipelineNotFoundException:
        return


def _actions(client: Any, system: System, execution: str) -> list[Mapping[str, Any]]:
    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName=system.pipeline, filter={"pipelineExecutionId": execution}
    )
    return [action for page in pages for action in page["actionExecutionDetails"]]


def _of_run(client: Any, system: System, run: Mapping[str, Any]) -> Iterator[Entry]:
    name = run["pipelineExecutionId"]
    link, short = links.run(system, name), name.partition("-")[0]
    revision: Mapping[str, Any] = next(iter(run.get("sourceRevisions", ())), {})
    commit, message = revision.get("revisionId", "")[:7], (revision.get("revisionSummary") or "").split("\n")[0]
    what = f"run {short} begins" + (f" with commit {commit} ({message})" if commit else "")
    yield Entry(run["startTime"], "delivery", what, PIPELINE, f"run {name} begins", link)
    if run["status"] not in ("InProgress", "Stopping"):
        yield Entry(
            run["lastUpdateTime"], "delivery", f"run {short} {run['status']}", PIPELINE, f"run {name} ends", link
        )
    for action in _actions(client, system, name):
        if action["status"] == "Failed":
            yield _failed(action, short, link)


def _failed(action: Mapping[str, Any], run: str, link: str) -> Entry:
    result = action.get("output", {}).get("executionResult", {})
    said = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "no message"
    place = f"{action['stageName']}/{action['actionName']}"
    return Entry(
        action["lastUpdateTime"],
        "delivery",
        f"{place} of run {run} failed: {said}",
        PIPELINE,
        f"action {action['actionExecutionId']} failed",
        result.get("externalExecutionUrl") or link,
    )


def _of_build(system: System, build: Mapping[str, Any]) -> Iterator[Entry]:
    name = build["id"]
    short, link = name.rpartition(":")[2][:8], build.get("logs", {}).get("deepLink") or links.build(system, name)
    yield Entry(build["startTime"], "delivery", f"build {short} begins", BUILD, f"build {name} begins", link)
    for phase in build.get("phases", ()):
        if phase.get("phaseStatus") not in (None, "SUCCEEDED") and phase.get("endTime"):
            said = next((c["message"] for c in phase.get("contexts", ()) if c.get("message")), "no message")
            what = f"build {short}: {phase['phaseType']} {phase['phaseStatus']}: {said}"
            yield Entry(phase["endTime"], "delivery", what, BUILD, f"build {name} {phase['phaseType']}", link)
    if build.get("endTime"):
        what = f"build {short} {build['buildStatus']}"
        yield Entry(build["endTime"], "delivery", what, BUILD, f"build {name} ends", link)
