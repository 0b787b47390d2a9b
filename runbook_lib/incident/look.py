"""The look back at a window: everything read once, then reasoned over; it can be kept and read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib import balancer, deployment, metric, pipeline, service
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.alarm import NAMESPACE
from runbook_lib.balancer import Balancer
from runbook_lib.deployment import Deployment
from runbook_lib.errors import CheckFailed
from runbook_lib.incident import changed, harm, links, requests, roles, sources
from runbook_lib.incident.causes import STRONG, Cause, Facts, causes
from runbook_lib.incident.changed import Difference
from runbook_lib.incident.damage import Damage, damage
from runbook_lib.incident.harm import Harm
from runbook_lib.incident.intervals import Intervals, Share, intervals, settings_cost
from runbook_lib.incident.requests import Requests
from runbook_lib.incident.roles import BLUE, GREEN, Tenure
from runbook_lib.incident.sources import deployments as releases
from runbook_lib.incident.sources import journals
from runbook_lib.incident.told import Entry, Timeline, Told, refusal, timeline
from runbook_lib.incident.window import MINUTE_POINTS
from runbook_lib.journal import Entry as Line
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Alarms, Objective
from runbook_lib.system import System

METRICS = "CloudWatch metrics"
LAG = timedelta(minutes=3)  # what is younger may still change
HOUR = 3600


@dataclass(frozen=True)
class Seen:
    """What was read of a window: facts alone, so that every answer can be reasoned anew from them."""

    service: str
    window: Window
    read_at: datetime
    told: tuple[Told, ...]
    measured: Metrics
    deployments: tuple[Deployment, ...]
    tenures: tuple[Tenure, ...]
    differences: tuple[Difference, ...]
    files: tuple[str, ...] | None
    requests_in_days: float
    requests: Requests | None = None  # what the access log says of the harm
    commit: str | None = None  # that the last release in the window deployed; looks kept before it was told lack it

    @property
    def release(self) -> Deployment | None:
        """The last release in the window."""
        return _last_release(self.deployments)


@dataclass(frozen=True)
class Incident:
    """What came of it; the parts after `timeline` are None or empty when no minute of the window hurt users."""

    seen: Seen
    timeline: Timeline
    harm: Harm | None
    damage: Damage | None = None
    intervals: Intervals | None = None
    shares: tuple[Share, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def blames_version(self) -> bool:
        """Whether strong evidence is against a version."""
        return any(cause.in_version for cause in self.causes if cause.weight == STRONG)

    @property
    def clears_version(self) -> bool:
        """Whether the evidence is strong, and for something else than a version."""
        return any(cause.weight == STRONG for cause in self.causes) and not self.blames_version


def read(
    account: Account,
    system: System,
    window: Window,
    lines: Iterable[Line],
    means: requests.Means,
) -> Seen:
    """Ask every source for a window; one that cannot answer is written down as that.

    `means` says how access logs are read.
    """
    lb = balancer.read_balancer(account, system)
    measured = _measured(account, system, lb, window)
    found = releases.alive(account, system, window)
    revisions = {one.id: _revision(account, system, one) for one in found}
    tenures = roles.tenures(
        found,
        revisions,
        pair=system.target_groups,
        live=lb.live() or system.target_groups[0],
        former=_former(account, system, found, window),
        window=window,
    )
    told = sources.ask(account, system, window)
    trail = [entry for one in told if one.source == "CloudTrail" for entry in one.entries]
    told = (
        *told,
        journals.told(lines, window, trail=trail),
        _health(system, measured, window),
        _metrics(measured, window, account),
    )
    before, after = _released(tenures)
    commit, files = _commit(account, system, found)
    hurt = harm.find(measured, system.params.objective)
    # Of what has not ended there is no "after": the log may know minutes that are not measured yet.
    known = Window(window.start, hurt.end) if hurt and hurt.end >= measured.end else window
    counted, access = requests.read(account, system, lb, known, hurt, tenures, means)
    return Seen(
        service=system.service,
        window=window,
        read_at=account.clock.now(),
        told=(*told, access),
        measured=measured,
        deployments=found,
        tenures=tenures,
        differences=changed.read_differences(account, before, after),
        files=files,
        commit=commit,
        requests_in_days=_requests(account, system, lb, window.end),
        requests=counted,
    )


def reason(seen: Seen, objective: Objective, alarms: Alarms) -> Incident:
    """What follows from what was read: pure, the same each time."""
    line = timeline(seen.told)
    found = harm.find(seen.measured, objective)
    if found is None:
        return Incident(seen, line, None)
    slow = seen.requests.slow if seen.requests else None
    hurt = damage(seen.measured, seen.tenures, found, objective, requests_in_days=seen.requests_in_days, slow=slow)
    spans = intervals(found, line, seen.deployments, until=seen.measured.end)
    where = seen.requests.concentration if seen.requests else None
    told = (seen.deployments, seen.differences, seen.files, where)
    facts = Facts(found, seen.measured, seen.tenures, hurt, line, *told)
    return Incident(seen, line, found, hurt, spans, settings_cost(spans, alarms, seen.deployments), causes(facts))


def expired(account: Account, window: Window) -> bool:
    """Whether a window ended before the oldest minute that CloudWatch keeps."""
    return window.end < account.clock.now() - MINUTE_POINTS


def _measured(account: Account, system: System, lb: Balancer, window: Window) -> Metrics:
    names = (system.rolling_target_group, *system.target_groups)
    end = min(window.end, metric.closed(account.clock.now(), lag=LAG))
    if lb.arn is None or end <= window.start:
        return Metrics(window.start, end, ())
    with _wanted(account, "cloudwatch:GetMetricData"):
        return metric.read_metrics(account, lb, names, start=window.start, end=end)


@contextmanager
def _wanted(account: Account, permission: str) -> Iterator[None]:
    """What a look cannot do without: which minutes hurt is known from metrics alone."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        raise CheckFailed(
            where=METRICS,
            seen=refusal(error),
            wanted=f"{permission} for {account.who}",
            next_step="let it be read: without metrics nothing says which minutes hurt",
        ) from error


def _metrics(measured: Metrics, window: Window, account: Account) -> Told:
    old = window.start < account.clock.now() - MINUTE_POINTS
    parts = [
        f"points of a minute are kept for {MINUTE_POINTS.days} days: take the evidence of an earlier look"
        if old
        else "",
        "no target group had a request" if not any(minute.requests for minute in measured.minutes) else "",
        f"minutes from {measured.end:%H:%M} on are not closed yet" if measured.end < window.end else "",
    ]
    return Told(METRICS, missing="; ".join(part for part in parts if part))


def _health(system: System, measured: Metrics, window: Window) -> Told:
    """When the number of healthy targets changed, by the minute."""
    entries: list[Entry] = []
    for group in measured.groups:
        before: Minute | None = None
        for minute in measured.of(group):
            now = (minute.healthy, minute.unhealthy)
            was = (before.healthy, before.unhealthy) if before else (None, None)
            if minute.healthy is not None and now != was and minute.at > measured.start:
                # A group without targets has no such metric: its first minute is when they came.
                what = (
                    f"{group}: healthy targets {'none' if was[0] is None else f'{was[0]:.0f}'} -> {minute.healthy:.0f}"
                )
                bad = f", {minute.unhealthy:.0f} unhealthy" if minute.unhealthy else ""
                fact, link = f"health {group} {minute.at}", links.target_group(system, group)
                entries.append(Entry(minute.at, "health", what + bad, METRICS, fact, link))
            before = minute
    return Told("target health", tuple(entry for entry in entries if window.holds(entry.at)))


def _revision(account: Account, system: System, found: Deployment) -> str | None:
    arn = deployment.read_task_definition_of(account, system, found)
    return arn.rpartition("/")[2] if arn else None


def _former(account: Account, system: System, found: Sequence[Deployment], window: Window) -> str | None:
    """The revision that served when the window began: of the last release that went well before its first one."""
    first = next((one.created for one in found if one.rolls_back is None), window.end)
    well = (d for d in deployment.read_deployments(account, system) if d.status == "Succeeded" and d.rolls_back is None)
    known = next((one for one in well if one.created < first), None)  # newest first
    if known:
        return _revision(account, system, known)
    running = service.read_service(account, system, system.service)
    return running.primary.revision if running and running.primary and not found else None


def _released(tenures: Sequence[Tenure]) -> tuple[str | None, str | None]:
    """The former and the new revision of the last release in the window."""
    green = next((one for one in reversed(tenures) if one.role == GREEN), None)
    blue = next((one for one in tenures if green and one.role == BLUE and one.deployment == green.deployment), None)
    return blue.revision if blue else None, green.revision if green else None


def _last_release(found: Sequence[Deployment]) -> Deployment | None:
    return next((one for one in reversed(found) if not one.goes_back), None)


def _commit(account: Account, system: System, found: Sequence[Deployment]) -> tuple[str | None, tuple[str, ...] | None]:
    """The commit of the last release in the window, and what it changed against the one before; None: not known."""
    release = _last_release(found)
    if release is None:
        return None, None
    runs = pipeline.read_executions(account, system)
    read = (pipeline.read_execution(account, system, run.id) for run in runs)
    mine = next((n for n, run in enumerate(read) if any(action.external == release.id for action in run.actions)), None)
    if mine is None:
        return None, None
    commit = runs[mine].commit
    earlier = next((run.commit for run in runs[mine + 1 :] if run.commit and run.status == "Succeeded"), None)
    files = changed.read_commit_files(account, system, earlier, commit) if commit and earlier else None
    return commit, files


def _requests(account: Account, system: System, lb: Balancer, end: datetime) -> float:
    """The requests of the objective's days until a moment, by the hour: what the error budget is counted from."""
    if lb.arn is None:
        return 0.0
    with _wanted(account, "cloudwatch:GetMetricStatistics"):
        answer = account.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName="RequestCount",
            Dimensions=[{"Name": "LoadBalancer", "Value": lb.dimension}],
            StartTime=end - timedelta(days=system.params.objective.window_days),
            EndTime=end,
            Period=HOUR,
            Statistics=["Sum"],
        )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))
