"""Watching: who gets the traffic, how the targets are, and what the load balancer measured around a deployment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_lib import alarm, balancer, deployment, metric
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment, LifecycleEvent
from runbook_lib.errors import CheckFailed
from runbook_lib.handle import Handle
from runbook_lib.metric import Metrics
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import charts

LAG = timedelta(minutes=3)  # metrics of a closed minute show up one to three minutes later
BEFORE = timedelta(minutes=5)
RUN_DIRECTORY = "RUNBOOK_RUN_DIR"  # the folder of this run; those of its walk lie beside it


def weights(account: Account, system: System) -> Table:
    """Who gets the traffic: every listener with the share and the healthy targets of each target group."""
    lb = balancer.read_balancer(account, system)
    places = (("production", lb.production), ("test", lb.test))
    rows = [
        {
            "listener": f"{purpose} :{listener.port}",
            "target group": name,
            "share": f"{100 * share:.0f} %",
            "healthy": _healthy(lb, name),
        }
        for purpose, listener in places
        if listener
        for name, share in listener.share.items()
    ]
    return table("Who gets the traffic", rows, ("listener", "target group", "share", "healthy"))


def minutes(account: Account, system: System, number: int) -> Table:
    """Wait so many minutes, then show what the closed minutes of that time say."""
    start = account.clock.now()
    account.clock.sleep((timedelta(minutes=number) + LAG).total_seconds())
    lb = balancer.read_balancer(account, system)
    end = metric.closed(account.clock.now(), lag=LAG)
    found = metric.read_metrics(account, lb, sorted(lb.groups), start=start, end=end)
    return minutes_table(found)


def minutes_table(found: Metrics) -> Table:
    """Requests, failures and latency of each target group, summed over its minutes."""
    rows = [_sums(found, group) for group in found.groups]
    headings = ("target group", "minutes", "requests", "failed", "worst p99")
    return table(f"What {len({m.at for m in found.minutes})} closed minutes say", rows, headings)


@dataclass(frozen=True)
class Story:
    """A deployment with what was measured around it."""

    deployment: Deployment
    metrics: Metrics
    roles: charts.Roles
    timeline: charts.Timeline
    requested: tuple[tuple[datetime, float], ...]  # percent to green
    configured: tuple[tuple[datetime, float], ...]  # percent to green


def read_story(account: Account, system: System, deployment_id: str = "") -> Story:
    """The story of a deployment: the one named, else the newest; with the metrics from five minutes before it."""
    found = _named(account, system, deployment_id)
    lb = balancer.read_balancer(account, system)
    newest = metric.closed(account.clock.now(), lag=LAG)
    end = min(newest, _end(found, newest) + BEFORE)
    metrics = metric.read_metrics(account, lb, system.target_groups, start=found.created - BEFORE, end=end)
    who = charts.roles(found, lb.live() or system.target_groups[0], system.target_groups)
    marks = [(found.completed, f"{found.status}{_reason(found)}")] if found.completed and found.error else []
    return Story(
        deployment=found,
        metrics=metrics,
        roles=who,
        timeline=charts.timeline(found, end=end, marks=marks),
        requested=requested(account, found),
        configured=configured(found, who.green),
    )


def summary(account: Account, system: System, story: Story) -> Table:
    """The deployment in a few lines."""
    del account, system
    found = story.deployment
    rows = [
        ("deployment", found.id),
        ("status", found.status),
        ("traffic configuration", found.config),
        ("began", found.created.isoformat()),
        ("ended", found.completed.isoformat() if found.completed else "not yet"),
        ("blue, green", f"{story.roles.blue}, {story.roles.green}"),
        ("error", found.error),
        ("rolled back by", found.rolled_back_by),
    ]
    return table("The deployment", [{"what": what, "seen": seen} for what, seen in rows])


def events(account: Account, system: System, story: Story) -> Table:
    """The lifecycle events of a story."""
    del account, system
    return events_table(story.deployment)


def health_chart(account: Account, system: System, story: Story | Handle) -> charts.Chart:
    """Healthy and unhealthy targets of both groups."""
    found = _story(account, system, story)
    return charts.health(found.metrics, found.roles, found.timeline)


def share_chart(account: Account, system: System, story: Story | Handle) -> charts.Chart:
    """The green share of production traffic: requested, configured, observed."""
    found = _story(account, system, story)
    return charts.shares(
        found.metrics, found.roles, found.timeline, requested=found.requested, configured=found.configured
    )


def error_chart(account: Account, system: System, story: Story | Handle) -> charts.Chart:
    """The share of failed requests of both groups, with the alarm's limit."""
    found = _story(account, system, story)
    return charts.errors(found.metrics, found.roles, found.timeline, limit=system.params.alarms.error_percent)


def latency_chart(account: Account, system: System, story: Story | Handle) -> charts.Chart:
    """The response time of both groups, with the alarm's limit."""
    found = _story(account, system, story)
    limit = system.params.alarms.latency_p99_seconds
    return charts.latency(found.metrics, found.roles, found.timeline, limit=limit)


def sums(account: Account, system: System, story: Story) -> Table:
    """Requests, failures and latency of both groups over the story's minutes."""
    del account, system
    return minutes_table(story.metrics)


def alarms(account: Account, system: System) -> Table:
    """The alarms that watch a release."""
    rows = [{"alarm": a.name, "state": a.state} for a in alarm.read_alarms(account, system.alarms)]
    return table("Alarms", rows, ("alarm", "state"))


def events_table(found: Deployment) -> Table:
    """The lifecycle events with their times since the deployment began."""
    rows = [
        {
            "event": event.name,
            "status": event.status,
            "began": since(found.created, event.start),
            "took": _took(event),
            "message": event.message,
        }
        for event in found.events
    ]
    return table("Lifecycle events", rows, ("event", "status", "began", "took", "message"))


def history(account: Account, system: System) -> Table:
    """The latest deployments, newest first."""
    rows = [
        {
            "deployment": found.id,
            "began": found.created.strftime("%H:%M:%S"),
            "status": found.status,
            "made by": found.creator,
            "rolls back": found.rolls_back,
            "error": (found.error or "").partition(":")[0] or None,
        }
        for found in deployment.read_deployments(account, system)
    ]
    return table("Deployments", rows, ("deployment", "began", "status", "made by", "rolls back", "error"))


def requested(account: Account, found: Deployment) -> tuple[tuple[datetime, float], ...]:
    """The share for green that the traffic configuration asks for, from the moment AllowTraffic began, in percent."""
    began = next((event.start for event in found.events if event.name == "AllowTraffic" and event.start), None)
    if began is None:
        return ((found.created, 0.0),)
    client = account.client("codedeploy")
    routing = client.get_deployment_config(deploymentConfigName=found.config)["deploymentConfigInfo"]
    steps = schedule(routing.get("trafficRoutingConfig", {}))
    last = found.completed or account.clock.now()
    reached = [(began + after, percent) for after, percent in steps if began + after <= last]
    return ((found.created, 0.0), *reached)


def schedule(routing: Mapping[str, Any]) -> tuple[tuple[timedelta, float], ...]:
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


def configured(found: Deployment, green: str) -> tuple[tuple[datetime, float], ...]:
    """The weights that followers of this deployment saw in the listener: from their journals, in percent to green.

    AWS keeps no history of weights; without a journal of the release there is nothing to show.
    """
    folder = os.environ.get(RUN_DIRECTORY)
    seen = [
        (datetime.fromisoformat(entry["fields"]["at"]), float(entry["fields"]["weights"].get(green, 0.0)))
        for path in sorted(Path(folder).parent.rglob("journal.jsonl") if folder else ())
        for entry in _samples(path, found.id)
    ]
    return tuple(sorted(seen))


def since(start: datetime, at: datetime | None) -> str | None:
    """A moment as T+03:20 after a beginning, None when there is none."""
    if at is None:
        return None
    seconds = int((at - start).total_seconds())
    return f"T+{seconds // 60:02d}:{seconds % 60:02d}"


def _samples(path: Path, deployment_id: str) -> Iterable[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        # A journal that was cut off by a kill ends in half a line.
        if '"kind": "sample"' in line and line.endswith("}") and deployment_id in line:
            yield json.loads(line)


def _story(account: Account, system: System, story: Story | Handle) -> Story:
    return story if isinstance(story, Story) else read_story(account, system, story.id)


def _named(account: Account, system: System, deployment_id: str) -> Deployment:
    if deployment_id:
        return deployment.read_deployment(account, system, deployment_id)
    found = [d for d in deployment.read_deployments(account, system) if d.rolls_back is None]
    if not found:
        raise CheckFailed(seen="no deployment", wanted="one to watch", next_step="release a version with 30_release")
    return deployment.read_deployment(account, system, found[0].id)


def _end(found: Deployment, now: datetime) -> datetime:
    return found.completed or now


def _reason(found: Deployment) -> str:
    return f" ({found.error.partition(':')[0]})" if found.error else ""


def _healthy(lb: balancer.Balancer, name: str) -> str:
    group = lb.groups.get(name)
    return f"{group.healthy} of {group.counted}" if group else "-"


def _took(event: LifecycleEvent) -> str | None:
    return f"{(event.end - event.start).total_seconds():.0f} s" if event.start and event.end else None


def _sums(found: Metrics, group: str) -> dict[str, Any]:
    own = found.of(group)
    worst = max((minute.p99 for minute in own if minute.p99 is not None), default=None)
    return {
        "target group": group,
        "minutes": len(own),
        "requests": f"{sum(minute.requests or 0 for minute in own):.0f}",
        "failed": f"{sum(minute.failed or 0 for minute in own):.0f}",
        "worst p99": f"{1000 * worst:.0f} ms" if worst is not None else None,
    }
