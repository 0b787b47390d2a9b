"""Application Auto Scaling of the service: what may move its count of tasks, suspended while traffic shifts.

CodeDeploy neither suspends scaling nor waits for it for long: a scaling event in the middle of a shift that does not
settle within five minutes fails the deployment (ECS developer guide, deployment-type-bluegreen; CodeDeploy user guide,
troubleshooting-ecs, which also has the remedy: suspend it at the start and resume it however the deployment ends).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.account import Account
from runbook_lib.planning import change
from runbook_lib.step import Step
from runbook_lib.system import System

DIMENSION = "ecs:service:DesiredCount"
SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
KINDS = {
    "DynamicScalingInSuspended": "scaling in",
    "DynamicScalingOutSuspended": "scaling out",
    "ScheduledScalingSuspended": "scheduled scaling",
}


@dataclass(frozen=True)
class Target:
    """The scalable target of a service; `suspended` says of each kind of scaling whether it stands still."""

    minimum: int
    maximum: int
    suspended: Mapping[str, bool]

    @property
    def still(self) -> bool:
        """Whether nothing scales it now."""
        return all(self.suspended.get(kind, False) for kind in SUSPENDED)

    @property
    def held(self) -> tuple[str, ...]:
        """The kinds of scaling that stand still, in words."""
        return tuple(words for kind, words in KINDS.items() if self.suspended.get(kind, False))


@dataclass(frozen=True)
class Activity:
    """One scaling of the service: when, what was done, why."""

    id: str
    at: datetime
    description: str
    cause: str


def resource(system: System) -> str:
    """How Application Auto Scaling names the service."""
    return f"service/{system.cluster}/{system.service}"


def read_target(account: Account, system: System) -> Target | None:
    """The service's scalable target, None when nothing scales it."""
    client = account.client("application-autoscaling")
    found = client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource(system)])["ScalableTargets"]
    if not found:
        return None
    state = found[0].get("SuspendedState", {})
    return Target(
        found[0]["MinCapacity"], found[0]["MaxCapacity"], {kind: state.get(kind, False) for kind in SUSPENDED}
    )


def read_activities(account: Account, system: System, *, since: datetime) -> tuple[Activity, ...]:
    """All that was scaled since a moment, newest first; AWS remembers six weeks (API reference,
    DescribeScalingActivities).

    AWS tells the newest first, so pages end with the one that holds something older.
    """
    pages = (
        account.client("application-autoscaling")
        .get_paginator("describe_scaling_activities")
        .paginate(ServiceNamespace="ecs", ResourceId=resource(system), ScalableDimension=DIMENSION)
    )
    found: list[Activity] = []
    for page in pages:
        told = page["ScalingActivities"]
        found += [Activity(a["ActivityId"], a["StartTime"], a["Description"], a.get("Cause", "")) for a in told]
        if any(activity["StartTime"] < since for activity in told):
            break
    kept = (activity for activity in found if activity.at >= since)
    return tuple(sorted(kept, key=lambda activity: activity.at, reverse=True))


def plan_state(system: System, wanted: Mapping[str, bool], *, step: str, title: str, needed: str | None) -> Step:
    """The step that suspends or resumes scaling, each kind by itself."""
    return change(
        step,
        title,
        "application-autoscaling:register_scalable_target",
        {
            "ServiceNamespace": "ecs",
            "ResourceId": resource(system),
            "ScalableDimension": DIMENSION,
            "SuspendedState": dict(wanted),
        },
        touches=resource(system),
        needed=needed,
        undo="the next run of any notebook resumes it",
    )


def plan_count(system: System, count: int, *, step: str, needed: str | None, already: str) -> Step:
    """The step that sets the service's desired count, one of the few things that may change behind CodeDeploy."""
    arguments: dict[str, Any] = {"cluster": system.cluster, "service": system.service, "desiredCount": count}
    return change(
        step,
        f"Set the desired count to {count}",
        "ecs:update_service",
        arguments,
        touches=system.service,
        needed=needed,
        already=already,
        undo="set it again",
    )
