"""Deployments of CodeDeploy, each followed by its own id."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.account import Account
from runbook_lib.check import Check, ask
from runbook_lib.planning import change
from runbook_lib.step import Step
from runbook_lib.system import System

BACK = "going back: "  # so begins the description of a deployment that brings a former revision back
TERMINAL = frozenset({"Succeeded", "Failed", "Stopped"})
Steps = tuple[tuple[timedelta, float], ...]
BATCH = 25  # ids that BatchGetDeployments takes at most
INSTALL_LIMIT = timedelta(minutes=60)  # CodeDeploy user guide, troubleshooting-ecs


@dataclass(frozen=True)
class LifecycleEvent:
    """One event of a deployment's life; times are None while it has not begun or ended."""

    name: str
    status: str
    start: datetime | None
    end: datetime | None
    message: str | None


@dataclass(frozen=True)
class TrafficShare:
    """A task set in a deployment, with the share of production traffic that CodeDeploy gave it, in percent."""

    label: str
    role: str
    target_group: str
    weight: float
    desired: int
    running: int
    task_set: str = ""  # its id


@dataclass(frozen=True)
class Deployment:
    """One deployment, asked for by its id."""

    id: str
    status: str
    creator: str
    config: str
    revision_sha: str | None
    created: datetime
    completed: datetime | None
    error: str | None
    rolled_back_by: str | None  # id of the deployment that rolls this one back
    rolls_back: str | None  # id of the deployment that this one rolls back
    description: str  # what its maker wrote
    events: tuple[LifecycleEvent, ...] = ()  # empty while it has not started
    shares: tuple[TrafficShare, ...] = ()
    target_status: str | None = None
    termination_wait: timedelta | None = None  # for which the former tasks stand after the shift; None: not said
    skew: timedelta = timedelta(0)  # by which AWS's time was ahead of our clock when it was read

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def goes_back(self) -> bool:
        """Whether it brings a former revision back: CodeDeploy's own rollback, or one that was made by hand for it."""
        return self.rolls_back is not None or self.description.startswith(BACK)

    @property
    def shifted(self) -> bool:
        """Whether all production traffic has moved: the target is Succeeded while the deployment still waits to end."""
        return self.target_status == "Succeeded"

    @property
    def phase(self) -> str:
        """Where it stands, in one word: the event that runs, or the status."""
        if self.over or self.status in ("Ready", "Created", "Queued"):
            return self.status
        running = [event.name for event in self.events if event.status == "InProgress"]
        return running[0] if running else ("termination wait" if self.shifted else self.status)

    def began(self, event: str) -> datetime | None:
        """When one of its events began, None while it has not."""
        return next((found.start for found in self.events if found.name == event and found.start), None)

    def share(self, label: str) -> float | None:
        """The percent of production traffic that Blue or Green has, None while there is no such task set."""
        return next((share.weight for share in self.shares if share.label == label), None)


def read_deployments(account: Account, system: System, *, most: int = 20) -> tuple[Deployment, ...]:
    """The group's latest deployments, newest first, without their events; none of a group that is not there."""
    client = account.client("codedeploy")
    try:
        ids = client.list_deployments(**_of_group(system))["deployments"][:most]
    except _absent(client):
        return ()
    found = client.batch_get_deployments(deploymentIds=ids)["deploymentsInfo"] if ids else []
    deployments = [_deployment(info) for info in found]
    return tuple(sorted(deployments, key=lambda deployment: deployment.created, reverse=True))


def read_ids(account: Account, system: System, *, start: datetime, end: datetime | None = None) -> tuple[str, ...]:
    """The ids of the group's deployments that were made between two moments, or since the first."""
    client = account.client("codedeploy")
    made = {"start": start} | ({"end": end} if end else {})
    pages = client.get_paginator("list_deployments").paginate(**_of_group(system), createTimeRange=made)
    try:
        return tuple(found for page in pages for found in page["deployments"])
    except _absent(client):
        return ()


def _of_group(system: System) -> dict[str, str]:
    return {"applicationName": system.deploy_application, "deploymentGroupName": system.deploy_group}


def _absent(client: Any) -> tuple[type[ClientError], ...]:
    """What CodeDeploy says of a group that is not there: before it is made, and while everything is torn down."""
    known = client.exceptions
    return (known.ApplicationDoesNotExistException, known.DeploymentGroupDoesNotExistException)


def read_deployments_since(account: Account, system: System, start: datetime) -> tuple[Deployment, ...]:
    """Every deployment of the group that was made since a moment, newest first, without their events."""
    client, ids = account.client("codedeploy"), read_ids(account, system, start=start)
    batches = (ids[place : place + BATCH] for place in range(0, len(ids), BATCH))
    found = [
        _deployment(info)
        for batch in batches
        for info in client.batch_get_deployments(deploymentIds=batch)["deploymentsInfo"]
    ]
    return tuple(sorted(found, key=lambda deployment: deployment.created, reverse=True))


def read_deployment(account: Account, system: System, deployment: str) -> Deployment:
    """One deployment with its events and traffic shares."""
    return read_target(account, system, read_info(account, deployment))


def read_info(account: Account, deployment: str) -> Deployment:
    """One deployment without its events and traffic shares: one call."""
    answer = account.client("codedeploy").get_deployment(deploymentId=deployment)
    return replace(_deployment(answer["deploymentInfo"]), skew=account.skew(answer))


def read_target(account: Account, system: System, known: Deployment) -> Deployment:
    """A known deployment with its events and traffic shares as they are now: one call, whatever else is unchanged."""
    found = _target(account.client("codedeploy"), known.id, f"{system.cluster}:{system.service}")
    return known if found is None else replace(known, **_of_target(found))


def with_target_of(info: Deployment, known: Deployment) -> Deployment:
    """What was just read of a deployment, with the events and shares that were read of it before."""
    return replace(info, events=known.events, shares=known.shares, target_status=known.target_status)


def read_task_definition_of(account: Account, system: System, deployment: Deployment) -> str | None:
    """The task definition in a deployment's AppSpec: GetApplicationRevision has the text, GetDeployment never."""
    if deployment.revision_sha is None:
        return None
    import yaml

    answer = account.client("codedeploy").get_application_revision(
        applicationName=system.deploy_application,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"sha256": deployment.revision_sha}},
    )
    spec = yaml.safe_load(answer["revision"]["appSpecContent"]["content"])
    return spec["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"]


def read_steps(account: Account, found: Deployment) -> Steps:
    """The steps of a deployment's own traffic configuration: one call.

    A step is how long after the beginning of AllowTraffic it comes, and the percent for green that it leads to.
    """
    client = account.client("codedeploy")
    routing = client.get_deployment_config(deploymentConfigName=found.config)["deploymentConfigInfo"]
    return _schedule(routing.get("trafficRoutingConfig", {}))


def _schedule(routing: Mapping[str, Any]) -> Steps:
    """The steps of a traffic routing: how long after the beginning, and what percent.

    CodeDeploy user guide, deployment-configurations: a canary has two steps, a linear shift equal ones.
    """
    if routing.get("type") == "TimeBasedCanary":
        canary = routing["timeBasedCanary"]
        first, wait = canary["canaryPercentage"], timedelta(minutes=canary["canaryInterval"])
        return ((timedelta(0), float(first)), (wait, 100.0))
    if routing.get("type") == "TimeBasedLinear":
        linear = routing["timeBasedLinear"]
        percent, interval = linear["linearPercentage"], timedelta(minutes=linear["linearInterval"])
        count = -(-100 // percent)
        return tuple((number * interval, float(min(100, (number + 1) * percent))) for number in range(count))
    return ((timedelta(0), 100.0),)


def last_release(found: Sequence[Deployment]) -> Deployment | None:
    """The last of them, oldest first, that did not go back; None: all did, or there is none."""
    return next((one for one in reversed(found) if not one.goes_back), None)


def plan_stop(deployment: Deployment, *, why: str) -> Step:
    """The step that stops a deployment and takes the traffic back."""
    return change(
        "deployment.stop",
        f"Stop {deployment.id} and take the traffic back",
        "codedeploy:stop_deployment",
        {"deploymentId": deployment.id, "autoRollbackEnabled": True},
        touches=deployment.id,
        needed=None if deployment.over else why,
        already=f"it is {deployment.status} already",
        undo="release again",
        # A stop can race with the end: the state is read again after it.
        accept=("DeploymentAlreadyCompletedException",),
    )


def plan_continue(deployment: Deployment, *, why: str) -> Step:
    """The step that ends the wait before production traffic: the shift begins."""
    return change(
        "deployment.continue",
        f"Let {deployment.id} take production traffic",
        "codedeploy:continue_deployment",
        {"deploymentId": deployment.id, "deploymentWaitType": "READY_WAIT"},
        touches=deployment.id,
        needed=why if deployment.status == "Ready" else None,
        already=f"nothing waits: it is {deployment.phase}",
        undo="stop it with rollback",
        # Somebody else can have continued or stopped it meanwhile.
        accept=("DeploymentAlreadyCompletedException", "DeploymentIsNotInReadyStateException"),
    )


def plan_end_wait(deployment: Deployment, *, why: str) -> Step:
    """The step that ends the termination wait: the former tasks go, and going back is no longer instant."""
    return change(
        "deployment.end_wait",
        f"End the termination wait of {deployment.id}",
        "codedeploy:continue_deployment",
        {"deploymentId": deployment.id, "deploymentWaitType": "TERMINATION_WAIT"},
        touches=deployment.id,
        needed=why if deployment.shifted and not deployment.over else None,
        already=f"nothing waits: it is {deployment.phase}",
        undo="not reversible: going back is then a full redeployment",
        # It can have ended by itself meanwhile, and a rollback removes the other tasks without a wait.
        accept=("DeploymentAlreadyCompletedException", "DeploymentIsNotInReadyStateException"),
    )


def plan_redeploy(system: System, task_definition: str, *, step: str, why: str) -> Step:
    """The step that deploys a former revision by hand; its description says that it goes back."""
    content = json.dumps(_appspec(system, task_definition))
    return change(
        step,
        f"Deploy {task_definition.rpartition('/')[2]} again",
        "codedeploy:create_deployment",
        {
            "applicationName": system.deploy_application,
            "deploymentGroupName": system.deploy_group,
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
            "description": f"{BACK}{why}"[:256],
        },
        touches=system.deploy_group,
        needed=why,
        undo="deploy the other revision again",
    )


def check_no_deployment(deployments: tuple[Deployment, ...]) -> Check:
    """Is no deployment under way? One a group is AWS's limit, its termination wait included."""
    active = [f"{deployment.id} {deployment.status}" for deployment in deployments if not deployment.over]
    return ask(
        "Is no deployment under way?",
        not active,
        seen=", ".join(active) or "none",
        wanted="none: CodeDeploy runs one a group, termination wait included",
        remedy="wait for it, end its termination wait, or stop it (40_roll_back)",
    )


def budget(system: System) -> timedelta:
    """How long a deployment may take by its own settings, hooks aside: boto3's waiter gives up after 30 minutes."""
    release = system.params.release
    steps = 0 if release.traffic == "all_at_once" else 1 if release.traffic == "canary" else 100 // release.step_percent
    minutes = release.ready_wait_minutes + steps * release.step_minutes + release.termination_wait_minutes
    return INSTALL_LIMIT + timedelta(minutes=minutes + 10)


def _appspec(system: System, task_definition: str) -> dict[str, Any]:
    properties = {
        "TaskDefinition": task_definition,
        "LoadBalancerInfo": {"ContainerName": system.container, "ContainerPort": system.port},
    }
    service = {"Type": "AWS::ECS::Service", "Properties": properties}
    return {"version": 0.0, "Resources": [{"TargetService": service}]}


def _target(client: Any, deployment: str, target: str) -> Mapping[str, Any] | None:
    try:
        answer = client.batch_get_deployment_targets(deploymentId=deployment, targetIds=[target])
    except client.exceptions.DeploymentNotStartedException:
        return None
    found = answer["deploymentTargets"]
    return found[0]["ecsTarget"] if found else None


def _of_target(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "events": tuple(_event(event) for event in found.get("lifecycleEvents", ())),
        "shares": tuple(_share(task_set) for task_set in found.get("taskSetsInfo", ())),
        "target_status": found.get("status"),
    }


def _deployment(info: Mapping[str, Any]) -> Deployment:
    error, rollback = info.get("errorInformation") or {}, info.get("rollbackInfo") or {}
    return Deployment(
        id=info["deploymentId"],
        status=info["status"],
        creator=info.get("creator", ""),
        config=info.get("deploymentConfigName", ""),
        revision_sha=info.get("revision", {}).get("appSpecContent", {}).get("sha256"),
        created=info["createTime"],
        completed=info.get("completeTime"),
        error=": ".join(text for text in (error.get("code"), error.get("message")) if text) or None,
        rolled_back_by=rollback.get("rollbackDeploymentId"),
        rolls_back=rollback.get("rollbackTriggeringDeploymentId"),
        description=info.get("description", ""),
        termination_wait=_termination_wait(info),
    )


def _termination_wait(info: Mapping[str, Any]) -> timedelta | None:
    ending = info.get("blueGreenDeploymentConfiguration", {}).get("terminateBlueInstancesOnDeploymentSuccess", {})
    minutes = ending.get("terminationWaitTimeInMinutes")
    return None if minutes is None else timedelta(minutes=minutes)


def _event(found: Mapping[str, Any]) -> LifecycleEvent:
    diagnostics = found.get("diagnostics") or {}
    return LifecycleEvent(
        name=found["lifecycleEventName"],
        status=found["status"],
        start=found.get("startTime"),
        end=found.get("endTime"),
        message=diagnostics.get("message"),
    )


def _share(found: Mapping[str, Any]) -> TrafficShare:
    return TrafficShare(
        label=found.get("taskSetLabel", ""),
        role=found.get("status", ""),
        target_group=found.get("targetGroup", {}).get("name", ""),
        weight=found.get("trafficWeight", 0.0),
        desired=found.get("desiredCount", 0),
        running=found.get("runningCount", 0),
        task_set=found.get("identifer", ""),  # spelled so in CodeDeploy's API
    )
