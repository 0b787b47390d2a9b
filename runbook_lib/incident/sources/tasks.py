"""ECS: what the services say, why tasks stopped, and what scaling did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links
from runbook_lib.incident.told import Entry, Told
from runbook_lib.incident.window import moment_format
from runbook_lib.service import short
from runbook_lib.system import System

SERVICE, TASKS, SCALING = "ECS service", "ECS tasks", "Auto Scaling"
SHOWN = 100  # DescribeServices shows the newest 100 events (ECS API reference, Service)
# What ECS's sentences name in brackets (ECS developer guide, service-event-messages-list).
NAMED = re.compile(
    r"\(((?:service|task|task set|target-group|deployment|instance|container-instance|port|elb|reason|error) [^()]*)\)"
)
STOPPED_FOR = timedelta(hours=1)  # ECS shows stopped tasks for an hour (ECS developer guide, stopped-task-errors)


def services(system: System) -> tuple[str, str]:
    """Both services: while both stand, either can hurt users."""
    return system.service, system.rolling_service


def events(account: Account, system: System, window: Window) -> Told:
    """What the services said about themselves."""
    client = account.client("ecs")
    try:
        found = client.describe_services(cluster=system.cluster, services=list(services(system)))["services"]
    except client.exceptions.ClusterNotFoundException:
        return Told(SERVICE, missing=f"there is no cluster {system.cluster}")
    entries: list[Entry] = []
    missing = []
    for service in found:
        told, link = service["events"], links.service(system, service["serviceName"])
        entries += [
            Entry(one["createdAt"], "task", plain(one["message"]), SERVICE, f"event {one['id']}", link)
            for one in told
            if window.holds(one["createdAt"]) and "has reached a steady state" not in one["message"]
        ]
        if len(told) >= SHOWN and told[-1]["createdAt"] > window.start:
            missing.append(
                f"{service['serviceName']}: nothing before {_written(told[-1]['createdAt'], window)}, {SHOWN} are kept"
            )
    return Told(SERVICE, tuple(entries), missing="; ".join(missing))


def stopped(account: Account, system: System, window: Window) -> Told:
    """The tasks that stopped, with their reasons and exit codes."""
    client = account.client("ecs")
    try:
        arns = [
            arn
            for page in client.get_paginator("list_tasks").paginate(cluster=system.cluster, desiredStatus="STOPPED")
            for arn in page["taskArns"]
        ]
    except client.exceptions.ClusterNotFoundException:
        return Told(TASKS, missing=f"there is no cluster {system.cluster}")
    # DescribeTasks takes at most 100.
    found = [
        task
        for at in range(0, len(arns), SHOWN)
        for task in client.describe_tasks(cluster=system.cluster, tasks=arns[at : at + SHOWN])["tasks"]
    ]
    entries = [_stop(system, task) for task in found if task.get("stoppedAt") and window.holds(task["stoppedAt"])]
    gone = account.clock.now() - STOPPED_FOR
    late = f"ECS shows stopped tasks for an hour: none from before {_written(gone, window)}"
    return Told(TASKS, tuple(entries), missing=late if window.start < gone else "")


def scaling(account: Account, system: System, window: Window) -> Told:
    """What Application Auto Scaling did to the services."""
    client = account.client("application-autoscaling")
    entries = []
    for service in services(system):
        pages = client.get_paginator("describe_scaling_activities").paginate(
            ServiceNamespace="ecs", ResourceId=f"service/{system.cluster}/{service}"
        )
        link = links.service(system, service)
        entries += [
            Entry(
                at=one["StartTime"],
                kind="scaling",
                what=f"{service}: {one['Description']}",
                source=SCALING,
                fact=f"scaling {one['ActivityId']}",
                link=link,
            )
            for page in pages
            for one in page["ScalingActivities"]
            if window.holds(one["StartTime"])
        ]
    return Told(SCALING, tuple(entries))


def _written(at: datetime, window: Window) -> str:
    """A moment that need not lie in the window: with its date where that is another."""
    return at.strftime(moment_format(window, at))


def _stop(system: System, task: Mapping[str, Any]) -> Entry:
    codes = ", ".join(f"{c['name']} exit code {c['exitCode']}" for c in task["containers"] if "exitCode" in c)
    reasons = "; ".join(c["reason"] for c in task["containers"] if c.get("reason"))
    revision = short(task["taskDefinitionArn"])
    told = ", ".join(part for part in (task.get("stoppedReason", ""), reasons, codes) if part)
    name = short(task["taskArn"])
    what = f"task {name[:8]} of {revision} stopped: {told}"
    return Entry(task["stoppedAt"], "task", what, TASKS, f"task {name} stops", links.task(system, name))


def plain(message: str) -> str:
    """ECS's sentence without the brackets around what it names: (service NAME, taskSet ID), (task ID) and the like.

    One that holds another bracket, or none of these words, stays as it is.
    """
    return NAMED.sub(r"\1", message.replace(") (task ", "), (task "))
