"""The look back at a window: everything read once, then reasoned over; it can be kept and read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_lib import balancer, deployment, metric, pipeline, service
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.deployment import Deployment, Steps
from runbook_lib.errors import CheckFailed
from runbook_lib.incident import changed, harm, links, requests, roles, sources
from runbook_lib.incident.causes import STRONG, Cause, Facts, causes
from runbook_lib.incident.changed import Difference
from runbook_lib.incident.damage import Damage, damage
from runbook_lib.incident.harm import Harm, Usual
from runbook_lib.incident.intervals import Intervals, Share, intervals, settings_cost
from runbook_lib.incident.requests import Requests
from runbook_lib.incident.roles import BLUE, GREEN, Tenure
from runbook_lib.incident.sources import deployments as releases
from runbook_lib.incident.sources import journals
from runbook_lib.incident.told import Entry, Timeline, Told, refusal, timeline
from runbook_lib.incident.window import MINUTE_POINTS
from runbook_lib.journal import Entry as Line
from runbook_lib.metric import Metrics, Minute
from runbook_lib.pipeline import Execution
from runbook_lib.sections import Alarms, Objective
from runbook_lib.system import System

METRICS = "CloudWatch metrics"
LAG = timedelta(minutes=3)  # what is younger may still change
BEFORE = timedelta(hours=1)  # before the window, in which what is usual is measured


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
    # What follows was not told by the first looks that were kept: they lack it.
    commits: dict[str, str] = field(default_factory=dict)  # that made a revision, by the revision
    usual: Usual | None = None  # before the window
    steps: dict[str, Steps] = field(default_factory=dict)  # of each release's traffic configuration, by its id

    @property
    def release(self) -> Deployment | None:
        """The last release in the window."""
        return _last_release(self.deployments)

    @property
    def released(self) -> str | None:
        """The revision of that release."""
        return _released(self.tenures)[1]

    @property
    def silence(self) -> Window | None:
        """The longest stretch without any request that is no chance."""
        return harm.silence(self.measured, self.usual)


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
    def blamed(self) -> str | None:
        """The revision that strong evidence is against."""
        return next((cause.version for cause in self.causes if cause.weight == STRONG and cause.version), None)

    @property
    def clears_versions(self) -> bool:
        """Whether strong evidence says that two versions felt the same: then it was neither."""
        return any(cause.weight == STRONG and cause.clears for cause in self.causes) and self.blamed is None


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
    measured, usual, doubt = _measured(account, system, lb, window)
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
        _metrics(measured, usual, window, account, doubt),
    )
    before, after = _released(tenures)
    commits, files = _commits(account, system, found, revisions, tenures)
    hurt = harm.find(measured, system.params.objective, usual)
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
        commits=commits,
        requests_in_days=_requests(account, system, lb, window.end),
        requests=counted,
        usual=usual,
        steps={one.id: deployment.read_steps(account, one) for one in found if not one.goes_back},
    )


def reason(seen: Seen, objective: Objective, alarms: Alarms) -> Incident:
    """What follows from what was read: pure, the same each time."""
    line = timeline(seen.told)
    found = harm.find(seen.measured, objective, seen.usual)
    if found is None:
        return Incident(seen, line, None)
    slow = seen.requests.slow if seen.requests else None
    hurt = damage(seen.measured, seen.tenures, found, objective, requests_in_days=seen.requests_in_days, slow=slow)
    spans = intervals(found, line, seen.deployments, until=seen.measured.end)
    where = seen.requests.concentration if seen.requests else None
    told = (seen.deployments, seen.differences, seen.files, where)
    facts = Facts(found, seen.measured, seen.tenures, hurt, line, *told)
    shares = settings_cost(spans, alarms, seen.deployments, found, seen.steps)
    return Incident(seen, line, found, hurt, spans, shares, causes(facts))


def expired(account: Account, window: Window) -> bool:
    """Whether a window ended before the oldest minute that CloudWatch keeps."""
    return window.end < account.clock.now() - MINUTE_POINTS


def _measured(account: Account, system: System, lb: Balancer, window: Window) -> tuple[Metrics, Usual | None, str]:
    """What was measured in the window, what was usual before it, and what of the measurement is in doubt.

    What found no target counts too, where the load balancer serves nobody but this system.
    """
    end = min(window.end, metric.closed(account.clock.now(), lag=LAG))
    if lb.arn is None or end <= window.start:
        return Metrics(window.start, end, ()), None, ""
    names = (system.rolling_target_group, *system.target_groups)
    with _wanted(account, "cloudwatch:GetMetricData"):
        found = metric.read_metrics(account, lb, names, start=window.start - BEFORE, end=end)
        lost = metric.read_untargeted(account, lb, start=window.start - BEFORE, end=end)
    others = balancer.read_other_groups(account, lb) if lost else ()
    minutes = found.minutes if others else tuple(sorted((*found.minutes, *lost), key=lambda one: (one.at, one.group)))
    whole = Metrics(found.start, end, minutes)
    many = sum(one.requests or 0 for one in lost if one.at >= window.start)
    doubt = f"{many:.0f} requests found no target; whose they were is not known: {', '.join(others)} is served too"
    usual = harm.usual_of(whole.between(whole.start, window.start))
    return whole.between(window.start, end), usual, doubt if others and many else ""


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


def _metrics(measured: Metrics, usual: Usual | None, window: Window, account: Account, doubt: str) -> Told:
    old = window.start < account.clock.now() - MINUTE_POINTS
    empty = harm.silence(measured, usual)
    parts = [
        f"points of a minute are kept for {MINUTE_POINTS.days} days: take the evidence of an earlier look"
        if old
        else "",
        "no request was measured" if not any(minute.requests for minute in measured.minutes) else "",
        f"no request was measured {empty}: nobody asked, or nobody reached the load balancer" if empty else "",
        doubt,
        f"minutes from {measured.end:%H:%M} on are not closed yet" if measured.end < window.end else "",
    ]
    return Told(METRICS, missing="; ".join(part for part in parts if part))


def _health(system: System, measured: Metrics, window: Window) -> Told:
    """When the number of healthy targets changed, by the minute.

    A target group without targets, or behind no listener, has no such metric; without any request nobody has.
    """
    entries: list[Entry] = []
    busy = sorted({minute.at for minute in measured.minutes if minute.requests})
    for group in measured.groups:
        known = {minute.at: minute for minute in measured.of(group) if minute.healthy is not None}
        if not known:
            continue
        was: Minute | None = None
        for at in busy:
            now = known.get(at)
            if _targets(now) != _targets(was) and at > measured.start:
                what = f"{group}: healthy targets {_healthy(was)} -> {_healthy(now)}"
                bad = f", {now.unhealthy:.0f} unhealthy" if now and now.unhealthy else ""
                fact, link = f"health {group} {at}", links.target_group(system, group)
                entries.append(Entry(at, "health", what + bad, METRICS, fact, link))
            was = now
    return Told("target health", tuple(entry for entry in entries if window.holds(entry.at)))


def _targets(minute: Minute | None) -> tuple[float, float] | None:
    return (minute.healthy or 0, minute.unhealthy or 0) if minute else None


def _healthy(minute: Minute | None) -> str:
    return f"{minute.healthy:.0f}" if minute else "none"


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


def _commits(
    account: Account,
    system: System,
    found: Sequence[Deployment],
    revisions: Mapping[str, str | None],
    tenures: Sequence[Tenure],
) -> tuple[dict[str, str], tuple[str, ...] | None]:
    """The commits that made the revisions of the window, and what that of the last release changed; None: not known.

    A commit is known by the run of the pipeline that made the deployment.
    """
    made = {each.id: revisions.get(each.id) for each in found if not each.goes_back}
    wanted = {tenure.revision for tenure in tenures if tenure.revision} - set(made.values())
    for each in deployment.read_deployments(account, system) if wanted else ():
        if each.id not in made and not each.goes_back and wanted:
            made[each.id] = _revision(account, system, each)
            wanted.discard(made[each.id])
    missing = {id for id, revision in made.items() if revision}
    release, of_release = _last_release(found), None
    commits: dict[str, str] = {}
    runs = pipeline.read_executions(account, system) if missing else ()
    for number, run in enumerate(runs):
        if not missing:
            break
        external = {one.external for one in pipeline.read_execution(account, system, run.id).actions if one.external}
        for id in missing & external:
            if run.commit:
                commits.setdefault(str(made[id]), run.commit)
            of_release = number if release and id == release.id else of_release
        missing -= external
    return commits, _files(account, system, runs, of_release)


def _files(account: Account, system: System, runs: Sequence[Execution], number: int | None) -> tuple[str, ...] | None:
    """The paths in which the commit of a run differs from that of the one before that went well."""
    after = runs[number].commit if number is not None else None
    if number is None or after is None:
        return None
    before = next((run.commit for run in runs[number + 1 :] if run.commit and run.status == "Succeeded"), None)
    return changed.read_commit_files(account, system, before, after) if before else None


def _requests(account: Account, system: System, lb: Balancer, end: datetime) -> float:
    """The requests of the objective's days until a moment: what the error budget is counted from."""
    if lb.arn is None:
        return 0.0
    start = end - timedelta(days=system.params.objective.window_days)
    names = (system.rolling_target_group, *system.target_groups)
    with _wanted(account, "cloudwatch:GetMetricData"):
        return metric.read_request_sum(account, lb, names, start=start, end=end)
