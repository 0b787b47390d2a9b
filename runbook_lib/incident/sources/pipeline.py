"""Runs of the pipeline and their builds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links
from runbook_lib.incident.sources import deployments
from runbook_lib.incident.told import Entry, Told, refusal
from runbook_lib.system import System

PIPELINE, BUILD = "CodePipeline", "CodeBuild"
GOES_ON = frozenset({"InProgress", "Stopping"})
BATCH = 100  # ids that BatchGetBuilds takes at most
# An approval waits seven days unless its action says otherwise (user guide, limits), then comes the deployment.
LONGEST = timedelta(days=7) + deployments.LONGEST


@dataclass(frozen=True)
class Run:
    """A run of the pipeline with its actions, as AWS answers them."""

    summary: Mapping[str, Any]
    actions: tuple[Mapping[str, Any], ...]

    @property
    def id(self) -> str:
        return str(self.summary["pipelineExecutionId"])


def tell(account: Account, system: System, window: Window) -> tuple[Told, Told]:
    """What the pipeline's runs and their builds tell: of both the runs are read once."""
    from botocore.exceptions import ClientError

    client = account.client("codepipeline")
    try:
        found = tuple(_runs(client, system, window))
    except ClientError as error:
        return Told(PIPELINE, missing=refusal(error)), Told(BUILD, missing=f"which builds is not known: {PIPELINE}")
    return _told_of_runs(system, window, found), _told_of_builds(account, system, window, found)


def _told_of_runs(system: System, window: Window, found: Iterable[Run]) -> Told:
    """When runs began and ended, for which commit, and which of their actions failed."""
    return Told(PIPELINE, tuple(entry for run in found for entry in _of_run(system, run) if window.holds(entry.at)))


def _told_of_builds(account: Account, system: System, window: Window, runs: Iterable[Run]) -> Told:
    """When the builds of those runs began and ended, and the phase that failed."""
    from botocore.exceptions import ClientError

    ids = [
        action["output"]["executionResult"]["externalExecutionId"]
        for run in runs
        for action in run.actions
        if action["input"]["actionTypeId"]["provider"] == "CodeBuild"
        and action.get("output", {}).get("executionResult", {}).get("externalExecutionId")
    ]
    try:
        found = account.client("codebuild").batch_get_builds(ids=ids[:BATCH])["builds"] if ids else []
    except ClientError as error:
        return Told(BUILD, missing=refusal(error))
    entries = [entry for build in found for entry in _of_build(system, build) if window.holds(entry.at)]
    missing = f"{len(ids)} builds, the first {BATCH} were read" if len(ids) > BATCH else ""
    return Told(BUILD, tuple(entries), missing=missing)


def _runs(client: Any, system: System, window: Window) -> Iterator[Run]:
    """The runs that were alive in the window, newest first; those that began more than LONGEST before it are not read.

    One that waits for an approval, or for its deployment, was begun long before what it does.
    """
    try:
        for page in client.get_paginator("list_pipeline_executions").paginate(pipelineName=system.pipeline):
            for run in page["pipelineExecutionSummaries"]:
                if run["startTime"] < window.start - LONGEST:
                    return
                goes_on = run["status"] in GOES_ON or run["lastUpdateTime"] >= window.start
                if goes_on and run["startTime"] < window.end:
                    yield Run(run, tuple(_actions(client, system, run["pipelineExecutionId"])))
    except client.exceptions.PipelineNotFoundException:
        return


def _actions(client: Any, system: System, execution: str) -> list[Mapping[str, Any]]:
    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName=system.pipeline, filter={"pipelineExecutionId": execution}
    )
    return [action for page in pages for action in page["actionExecutionDetails"]]


def _of_run(system: System, found: Run) -> Iterator[Entry]:
    run, name = found.summary, found.id
    link, short = links.run(system, name), name.partition("-")[0]
    revision: Mapping[str, Any] = next(iter(run.get("sourceRevisions", ())), {})
    commit, message = revision.get("revisionId", "")[:7], (revision.get("revisionSummary") or "").split("\n")[0]
    what = f"run {short} begins" + (f" with commit {commit} ({message})" if commit else "")
    yield Entry(run["startTime"], "delivery", what, PIPELINE, f"run {name} begins", link)
    if run["status"] not in GOES_ON:
        yield Entry(
            run["lastUpdateTime"], "delivery", f"run {short} {run['status']}", PIPELINE, f"run {name} ends", link
        )
    for action in found.actions:
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
