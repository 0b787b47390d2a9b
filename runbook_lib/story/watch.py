"""Watching: who gets the traffic, how the targets are, and what the load balancer measured around a deployment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook_lib import alarm, balancer, deployment, deployment_group, metric
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment, LifecycleEvent
from runbook_lib.errors import CheckFailed
from runbook_lib.journal import Journal
from runbook_lib.metric import Metrics
from runbook_lib.step import Applied
from runbook_lib.story import shares
from runbook_lib.story.tracking import LAG
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import axis, charts

BEFORE, AFTER = timedelta(minutes=5), timedelta(minutes=5)


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


def minutes(account: Account, system: System, number: int, after: Applied | None = None) -> Table:
    """Wait so many minutes after a change, then show what the last closed minutes say; no wait when nothing changed."""
    if after is None or after.done:
        account.clock.sleep((timedelta(minutes=number) + LAG).total_seconds())
    end = metric.closed(account.clock.now(), lag=LAG)
    lb = balancer.read_balancer(account, system)
    start = end - timedelta(minutes=number)
    return minutes_table(metric.read_metrics(account, lb, sorted(lb.groups), start=start, end=end))


def minutes_table(found: Metrics) -> Table:
    """Requests, failures and latency of each target group, summed over its minutes.

    A failed request is the application's own 5xx, or one that no target answered.
    """
    rows = [_sums(found, group) for group in found.groups]
    headings = ("target group", "minutes", "requests", "own 5xx", "not answered", "worst p99")
    return table(f"What {len({m.at for m in found.minutes})} closed minutes say", rows, headings)


@dataclass(frozen=True)
class Story:
    """A deployment with what was measured around it."""

    deployment: Deployment
    metrics: Metrics
    roles: axis.Roles
    timeline: axis.Timeline
    requested: shares.Shares
    configured: shares.Shares  # empty when no journal of the release is at hand
    wait_minutes: int  # how long the group keeps the former tasks


def read_story(account: Account, system: System, deployment_id: str = "", journals: Iterable[Journal] = ()) -> Story:
    """The story of a deployment: the one named, else the newest; with the metrics from five minutes before it.

    The weights that were configured and the verdicts come from the journals.
    """
    found = _named(account, system, deployment_id)
    lb = balancer.read_balancer(account, system)
    now = account.clock.now()
    first, closed = found.created - BEFORE, metric.closed(now, lag=LAG)
    end = min(now, found.completed + AFTER) if found.completed else now
    told = shares.kept(account, found, journals)
    who = axis.roles(found, lb.live() or system.target_groups[0], system.target_groups)
    group = deployment_group.read_group(account, system)
    return Story(
        deployment=found,
        metrics=metric.read_metrics(account, lb, system.target_groups, start=first, end=min(closed, end)),
        roles=who,
        timeline=axis.timeline(found, first=first, end=end, closed=closed, marks=shares.verdicts(told)),
        requested=shares.requested(account, found),
        configured=shares.configured(told, who.green),
        wait_minutes=group.termination_wait_minutes if group else 0,
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
        ("former tasks were kept", _kept(story)),
        ("blue, green", f"{story.roles.blue}, {story.roles.green}"),
        ("error", found.error),
        ("rolled back by", found.rolled_back_by),
    ]
    return table("The deployment", [{"what": what, "seen": seen} for what, seen in rows])


def events(account: Account, system: System, story: Story) -> Table:
    """The lifecycle events of a story."""
    del account, system
    return events_table(story.deployment)


def health_chart(account: Account, system: System, story: Story) -> charts.Chart:
    """Healthy and unhealthy targets of both groups."""
    del account, system
    return charts.health(story.metrics, story.roles, story.timeline)


def share_chart(account: Account, system: System, story: Story) -> charts.Chart:
    """The green share of production traffic: requested, configured, observed."""
    del account, system
    return charts.shares(
        story.metrics, story.roles, story.timeline, requested=story.requested, configured=story.configured
    )


def error_chart(account: Account, system: System, story: Story) -> charts.Chart:
    """The share of failed requests of both groups, with the alarm's limit."""
    del account
    return charts.errors(story.metrics, story.roles, story.timeline, limit=system.params.alarms.error_percent)


def latency_chart(account: Account, system: System, story: Story) -> charts.Chart:
    """The response time of both groups, with the alarm's limit."""
    del account
    limit = system.params.alarms.latency_p99_seconds
    return charts.latency(story.metrics, story.roles, story.timeline, limit=limit)


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


def history(account: Account, system: System, *, needed: bool = True) -> Table:
    """The latest deployments, newest first; raises CheckFailed for a service that CodeDeploy does not know.

    Not so when it is not `needed`: what was looked at before can be read again when everything is torn down.
    """
    known = deployment.read_deployments(account, system)
    if needed and not known and deployment_group.read_group(account, system) is None:
        raise CheckFailed(
            where="the service",
            seen=f"no deployment group {system.deploy_group} in CodeDeploy's application {system.deploy_application}",
            wanted="a service behind CodeDeploy",
            next_step="move it there first, as 00_start_here shows, or correct name and region in the parameter file",
        )
    rows = [
        {
            "deployment": found.id,
            "began": found.created.strftime("%H:%M:%S"),
            "status": found.status,
            "made by": found.creator,
            "rolls back": found.rolls_back,
            "error": (found.error or "").partition(":")[0] or None,
        }
        for found in known
    ]
    return table("Deployments", rows, ("deployment", "began", "status", "made by", "rolls back", "error"))


def since(start: datetime, at: datetime | None) -> str | None:
    """A moment as T+03:20 after a beginning, None when there is none."""
    if at is None:
        return None
    seconds = int((at - start).total_seconds())
    return f"T+{seconds // 60:02d}:{seconds % 60:02d}"


def _named(account: Account, system: System, deployment_id: str) -> Deployment:
    if deployment_id:
        return deployment.read_deployment(account, system, deployment_id)
    found = [d for d in deployment.read_deployments(account, system) if d.rolls_back is None]
    if not found:
        raise CheckFailed(seen="no deployment", wanted="one to watch", next_step="release a version with 30_release")
    return deployment.read_deployment(account, system, found[0].id)


def _kept(story: Story) -> str:
    """How long the former tasks outlived the shift, beside how long the group wants to keep them."""
    found, wanted = story.deployment, timedelta(minutes=story.wait_minutes)
    shifted = max((event.end for event in found.events if event.end and event.status == "Succeeded"), default=None)
    if found.error or shifted is None:
        return "not measured: the traffic did not move"
    if found.completed is None:
        return f"until {(shifted + wanted).strftime('%H:%M:%S')} UTC, unless the wait is ended early"
    lasted = found.completed - shifted
    early = ": the wait was ended early" if lasted < wanted else ""
    return f"{_long(lasted)} of {_long(wanted)}{early}"


def _long(span: timedelta) -> str:
    return f"{int(span.total_seconds()) // 60:02d}:{int(span.total_seconds()) % 60:02d} min"


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
        "own 5xx": f"{sum(minute.own_errors or 0 for minute in own):.0f}",
        "not answered": f"{sum(minute.unanswered for minute in own):.0f}",
        "worst p99": f"{1000 * worst:.0f} ms" if worst is not None else None,
    }
