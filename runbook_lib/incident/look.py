"""The look back at a window: everything read once, then reasoned over; it can be kept and read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from runbook_lib import balancer, deployment
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment, Steps
from runbook_lib.incident import harm, measuring, redact, requests, sources, versions
from runbook_lib.incident.causes import STRONG, Cause, Facts, causes
from runbook_lib.incident.changed import Difference
from runbook_lib.incident.damage import Damage, damage
from runbook_lib.incident.harm import Harm, Usual
from runbook_lib.incident.intervals import Intervals, Share, intervals, settings_cost
from runbook_lib.incident.measuring import Measured
from runbook_lib.incident.requests import Requests
from runbook_lib.incident.roles import Tenure
from runbook_lib.incident.sources import journals
from runbook_lib.incident.told import Timeline, Told, timeline
from runbook_lib.incident.window import MINUTE_POINTS
from runbook_lib.journal import Entry as Line
from runbook_lib.metric import Metrics
from runbook_lib.sections import Alarms, Objective
from runbook_lib.system import System


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
        return deployment.last_release(self.deployments)

    @property
    def released(self) -> str | None:
        """The revision of that release."""
        return versions.released(self.tenures)[1]

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
    measured = measuring.measure(account, system, lb, window)
    who = versions.read(account, system, lb, window)
    told = _told(account, system, window, lines, measured)
    hurt = harm.find(measured.metrics, system.params.objective, measured.usual)
    # Of what has not ended there is no "after": the log may know minutes that are not measured yet.
    known = Window(window.start, hurt.end) if hurt and hurt.end >= measured.metrics.end else window
    counted, access = requests.read(account, system, lb, known, hurt, who.tenures, means)
    seen = Seen(
        service=system.service,
        window=window,
        read_at=account.clock.now(),
        told=(*told, access),
        measured=measured.metrics,
        deployments=who.deployments,
        tenures=who.tenures,
        differences=who.differences,
        files=who.files,
        commits=who.commits,
        requests_in_days=measuring.requests_in_days(account, system, lb, window.end),
        requests=counted,
        usual=measured.usual,
        steps=who.steps,
    )
    return redact.without_secrets(seen)


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


def _told(
    account: Account, system: System, window: Window, lines: Iterable[Line], measured: Measured
) -> tuple[Told, ...]:
    """What AWS's sources, the runbooks' journals and the metrics tell."""
    told = sources.ask(account, system, window)
    trail = [entry for one in told if one.source == "CloudTrail" for entry in one.entries]
    ours = journals.told(lines, window, trail=trail)
    return (*told, ours, measuring.health(system, measured.metrics, window), measured.told)
