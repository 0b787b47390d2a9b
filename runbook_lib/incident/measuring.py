"""What the load balancer measured of a window: which minutes hurt is known from that alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib import balancer, metric
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.errors import CheckFailed
from runbook_lib.incident import harm, links
from runbook_lib.incident.harm import Usual
from runbook_lib.incident.told import Entry, Told, refusal
from runbook_lib.incident.window import MINUTE_POINTS
from runbook_lib.metric import Metrics, Minute
from runbook_lib.system import System

SOURCE = "CloudWatch metrics"
LAG = timedelta(minutes=3)  # what is younger may still change
BEFORE = timedelta(hours=1)  # before the window, in which what is usual is measured


@dataclass(frozen=True)
class Measured:
    """The closed minutes of a window, what was usual before it (None: not measured), and what is in doubt."""

    metrics: Metrics
    usual: Usual | None
    told: Told


def measure(account: Account, system: System, lb: Balancer, window: Window) -> Measured:
    """Read the minutes of the window and of the hour before it.

    What found no target counts too, where the load balancer serves nobody but this system.  Raises CheckFailed where
    the metrics may not be read.
    """
    end = min(window.end, metric.closed(account.clock.now(), lag=LAG))
    if lb.arn is None or end <= window.start:
        metrics = Metrics(window.start, end, ())
        return Measured(metrics, None, _told(account, metrics, None, window, _gone(system, lb)))
    names = (system.rolling_target_group, *system.target_groups)
    with _wanted(account, "cloudwatch:GetMetricData"):
        found = metric.read_metrics(account, lb, names, start=window.start - BEFORE, end=end)
        lost = metric.read_untargeted(account, lb, start=window.start - BEFORE, end=end)
    others = balancer.read_other_groups(account, lb) if lost else ()
    minutes = found.minutes if others else tuple(sorted((*found.minutes, *lost), key=lambda one: (one.at, one.group)))
    whole = Metrics(found.start, end, minutes)
    metrics, usual = whole.between(window.start, end), harm.usual_of(whole.between(whole.start, window.start))
    many = sum(one.requests or 0 for one in lost if one.at >= window.start) if others else 0
    doubt = f"{many:.0f} requests found no target; whose they were is not known: {', '.join(others)} is served too"
    return Measured(metrics, usual, _told(account, metrics, usual, window, doubt if many else "", _gone(system, lb)))


def health(system: System, measured: Metrics, window: Window) -> Told:
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
                entries.append(Entry(at, "health", what + bad, SOURCE, fact, link))
            was = now
    return Told("target health", tuple(entry for entry in entries if window.holds(entry.at)))


def requests_in_days(account: Account, system: System, lb: Balancer, end: datetime) -> float:
    """The requests of the objective's days until a moment: what the error budget is counted from."""
    if lb.arn is None:
        return 0.0
    start = end - timedelta(days=system.params.objective.window_days)
    names = (system.rolling_target_group, *system.target_groups)
    with _wanted(account, "cloudwatch:GetMetricData"):
        return metric.read_request_sum(account, lb, names, start=start, end=end)


@contextmanager
def _wanted(account: Account, permission: str) -> Iterator[None]:
    """What a look cannot do without: which minutes hurt is known from metrics alone."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        raise CheckFailed(
            where=SOURCE,
            seen=refusal(error),
            wanted=f"{permission} for {account.who}",
            next_step="let it be read: without metrics nothing says which minutes hurt",
        ) from error


def _gone(system: System, lb: Balancer) -> str:
    """What is not there any more: metrics go by an id that a new one of the same name has not."""
    gone = [] if lb.arn else [f"load balancer {system.balancer}"]
    gone += [f"target group {name}" for name in system.target_groups if name not in lb.groups]
    return f"what was measured is not found of {', '.join(gone)}: there is none of that name now" if gone else ""


def _told(account: Account, measured: Metrics, usual: Usual | None, window: Window, *doubts: str) -> Told:
    old = window.start < account.clock.now() - MINUTE_POINTS
    empty = harm.silence(measured, usual)
    any_request = any(minute.requests for minute in measured.minutes)
    parts = [
        f"points of a minute are kept for {MINUTE_POINTS.days} days: take the evidence of an earlier look"
        if old
        else "",
        f"no request was measured {empty}: nobody asked, or nobody reached the load balancer" if empty else "",
        "no request was measured" if not (any_request or empty) else "",
        *doubts,
        f"minutes from {measured.end:%H:%M} on are not closed yet" if measured.end < window.end else "",
    ]
    return Told(SOURCE, missing="; ".join(part for part in parts if part))


def _targets(minute: Minute | None) -> tuple[float, float] | None:
    return (minute.healthy or 0, minute.unhealthy or 0) if minute else None


def _healthy(minute: Minute | None) -> str:
    return f"{minute.healthy:.0f}" if minute else "none"
