"""Goes on in spite of a fault, to the end, and gathers what AWS says: every message that an operator could find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.account import Account
from runbook_lib.journal import Journal
from runbook_lib.story.faults.fault import PUSH, RELEASE, Call
from runbook_lib.story.faults.vocabulary import Vocabulary
from runbook_lib.system import System

ACTIVE = ["Created", "Queued", "InProgress", "Baking", "Ready"]
SHORT, LONG, SHORT_LOOKS = 30.0, 300.0, 20  # seconds between two looks: the first ones are nearer
PUSHED = "pushed.txt"


@dataclass(frozen=True)
class Saying:
    """Something that AWS said: by whom (see SPEAKERS of fault.py), of what, and the words."""

    by: str
    of: str
    text: str


def go_on(account: Account, system: System, words: Vocabulary, *, journal: Journal) -> tuple[Saying, ...]:
    """Do what the fault says is done all the same, wait for its end or its limit, and give everything that was said."""
    began = account.clock.now()
    refused = _begin(account, system, words, journal)
    _wait(account, system, timedelta(minutes=words.fault.limit_minutes))
    return (*refused, *_sayings(account, system, began))


def _begin(account: Account, system: System, words: Vocabulary, journal: Journal) -> tuple[Saying, ...]:
    call = _call(words)
    service, _, operation = call.call.partition(":")
    try:
        # As `step.apply` would, but at once: a refusal is what is looked for, so nothing is tried again.
        getattr(account.client(service), operation)(**words.arguments(call))
    except ClientError as error:
        told = error.response["Error"]
        journal.write("refused", call=call.call, code=told["Code"], message=told.get("Message", ""))
        return (Saying("call", call.call, f"{told['Code']}: {told.get('Message', '')}"),)
    journal.write("step", id=call.call, call=call.call, touches=system.name, done=True, reason=words.fault.tells)
    return ()


def _call(words: Vocabulary) -> Call:
    then = words.fault.then
    if isinstance(then, Call):
        return then
    if then == RELEASE:
        return Call("codepipeline:start_pipeline_execution", {"name": "${pipeline}"}, {}, {})
    if then == PUSH:
        file = {"filePath": PUSHED, "fileContent": b"a change\n"}
        place = {"repositoryName": "${repository}", "branchName": "${branch}", "parentCommitId": "${head}"}
        return Call("codecommit:create_commit", {**place, "putFiles": [file]}, {}, {})
    assert words.fault.wish is not None  # the reader of faults sees to it
    return words.fault.wish


def _wait(account: Account, system: System, limit: timedelta) -> None:
    """Until nothing runs any more; a push needs a moment to start something."""
    end, looks = account.clock.now() + limit, 0
    while account.clock.now() < end:
        account.clock.sleep(min(SHORT if looks < SHORT_LOOKS else LONG, (end - account.clock.now()).total_seconds()))
        looks += 1
        if not _under_way(account, system):
            return


def _under_way(account: Account, system: System) -> bool:
    pipeline = account.client("codepipeline")
    runs = pipeline.list_pipeline_executions(pipelineName=system.pipeline)["pipelineExecutionSummaries"]
    if any(run["status"] in ("InProgress", "Stopping") for run in runs):
        return True
    return bool(account.client("codedeploy").list_deployments(includeOnlyStatuses=ACTIVE)["deployments"])


def _sayings(account: Account, system: System, since: datetime) -> Iterator[Saying]:
    yield from _actions(account, system, since)
    yield from _deployments(account, since)
    yield from _tasks(account, system)
    yield from _builds(account, system, since)
    yield from (Saying("log", system.log_group, line) for line in _lines(account, system.log_group, since))


def _actions(account: Account, system: System, since: datetime) -> Iterator[Saying]:
    found = account.client("codepipeline").list_action_executions(pipelineName=system.pipeline)
    for one in found["actionExecutionDetails"]:
        told = one.get("output", {}).get("executionResult", {})
        error = told.get("errorDetails", {})
        if one["lastUpdateTime"] >= since and error:
            yield Saying("action", one["actionName"], f"{error.get('code', '')}: {error.get('message', '')}")


def _deployments(account: Account, since: datetime) -> Iterator[Saying]:
    client = account.client("codedeploy")
    for id in client.list_deployments(createTimeRange={"start": since})["deployments"]:
        told = client.get_deployment(deploymentId=id)["deploymentInfo"]
        error = told.get("errorInformation", {})
        if error:
            yield Saying("deployment", id, f"{error['code']}: {error['message']}")
        yield from _hooks(client, id)


def _hooks(client: Any, deployment: str) -> Iterator[Saying]:
    try:
        targets = client.list_deployment_targets(deploymentId=deployment)["targetIds"]
    except client.exceptions.DeploymentNotStartedException:
        return
    found = client.batch_get_deployment_targets(deploymentId=deployment, targetIds=targets) if targets else {}
    for target in found.get("deploymentTargets", ()):
        for event in target["ecsTarget"].get("lifecycleEvents", ()):
            told = event.get("diagnostics", {})
            if told.get("message"):
                yield Saying("hook", event["lifecycleEventName"], told["message"])


def _tasks(account: Account, system: System) -> Iterator[Saying]:
    client = account.client("ecs")
    services = client.describe_services(cluster=system.cluster, services=[system.service])["services"]
    for service in services:
        yield from (Saying("event", service["serviceName"], event["message"]) for event in service["events"])
    stopped = client.list_tasks(cluster=system.cluster, desiredStatus="STOPPED")["taskArns"][:100]
    for task in client.describe_tasks(cluster=system.cluster, tasks=stopped)["tasks"] if stopped else ():
        reasons = (task.get("stoppedReason"), *(container.get("reason") for container in task["containers"]))
        yield from (Saying("task", task["taskArn"].rpartition("/")[2], reason) for reason in reasons if reason)


def _builds(account: Account, system: System, since: datetime) -> Iterator[Saying]:
    client = account.client("codebuild")
    ids = client.list_builds_for_project(projectName=system.project)["ids"][:10]
    for build in client.batch_get_builds(ids=ids)["builds"] if ids else ():
        if build["startTime"] < since:
            continue
        for phase in build["phases"]:
            told = [context["message"] for context in phase.get("contexts", ()) if context.get("message")]
            yield from (Saying("build", phase["phaseType"], message) for message in told)
        yield from (Saying("log", build["id"], line) for line in _log(account, build))


def _log(account: Account, build: Any) -> Iterator[str]:
    place = build.get("logs", {})
    if place.get("groupName") and place.get("streamName"):
        yield from _lines(account, place["groupName"], build["startTime"], logStreamNames=[place["streamName"]])


def _lines(account: Account, group: str, since: datetime, **more: Any) -> Iterator[str]:
    client = account.client("logs")
    try:
        found = client.filter_log_events(logGroupName=group, startTime=int(since.timestamp() * 1000), **more)
    except client.exceptions.ResourceNotFoundException:
        return  # a fault may have taken the group away
    yield from (event["message"].rstrip() for event in found["events"])
