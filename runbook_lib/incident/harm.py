"""Which minutes hurt users, and the stretch of them that is the incident."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from runbook_lib.accesslog.window import MINUTE, Window
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Objective

CHANCE = 1e-4  # how likely so many failures may be without harm: one minute in a week
BRIDGE = timedelta(minutes=3)  # good minutes between bad ones that do not end an incident
SLOWER = 1.5  # times the usual p99: below it, slow is how it always was


@dataclass(frozen=True)
class Usual:
    """What is usual: the share of requests that fail (0 to 1), the p99 in seconds, and requests a minute.

    The p99 is None without traffic.
    """

    error_rate: float
    p99: float | None
    requests: float = 0.0


@dataclass(frozen=True)
class Moment:
    """A minute of the whole service, all its target groups together."""

    at: datetime
    requests: float
    failed: float
    p99: float | None  # of the slowest group that had traffic, seconds
    by_errors: bool
    by_latency: bool

    @property
    def harmed(self) -> bool:
        return self.by_errors or self.by_latency


PHASES = ("before", "during", "after", "other harm")


@dataclass(frozen=True)
class Harm:
    """The incident: from the first minute that hurt until after the last; empty minutes are not harm."""

    start: datetime
    end: datetime
    moments: tuple[Moment, ...]  # of the whole window
    usual: Usual
    others: tuple[Window, ...] = ()  # further stretches of the window that hurt, less than this one

    @property
    def minutes(self) -> tuple[Moment, ...]:
        """Its own minutes, the good ones between bad ones too."""
        return tuple(moment for moment in self.moments if self.start <= moment.at < self.end)

    @property
    def by(self) -> str:
        """What hurt: errors, latency, or both."""
        told = [
            (any(m.by_errors for m in self.minutes), "errors"),
            (any(m.by_latency for m in self.minutes), "latency"),
        ]
        return " and ".join(word for yes, word in told if yes)

    def phase(self, at: datetime) -> int:
        """The place in PHASES of a minute."""
        if any(other.holds(at) for other in self.others):
            return PHASES.index("other harm")
        return 0 if at < self.start else 1 if at < self.end else 2

    @property
    def elsewhere(self) -> float:
        """The failed requests of the other stretches."""
        return sum(m.failed for m in self.moments if any(other.holds(m.at) for other in self.others))


def find(measured: Metrics, objective: Objective, before: Usual | None = None) -> Harm | None:
    """The worst stretch of minutes that hurt users; None when no minute did.

    `before` is what was usual before the window: where it was better than most of the window, it is what counts.

    A minute hurts by errors when so many failures would be a chance of less than one in ten thousand at the rate that
    is usual or that the objective allows, whichever is more; and by latency when its p99 is over the objective and
    half as much again as usual.  What is usual counts for twice what the objective allows at most, and for no more
    than its latency: in a window that is mostly the incident, the incident is what is usual.
    """
    usual = _better(usual_of(measured), before)
    moments = tuple(_moment(at, alike, usual, objective) for at, alike in _by_minute(measured.minutes))
    stretches = _stretches([moment for moment in moments if moment.harmed])
    if not stretches:
        return None
    worst = max(stretches, key=lambda found: (sum(m.failed for m in found), len(found)))
    start, end = worst[0].at, worst[-1].at + MINUTE
    others = tuple(Window(found[0].at, found[-1].at + MINUTE) for found in stretches if found is not worst)
    return Harm(start, end, moments, usual, others)


def usual_of(measured: Metrics) -> Usual:
    """What is usual in a window: medians over its minutes, which a shorter incident does not move."""
    with_traffic = [alike for _, alike in _by_minute(measured.minutes) if _sum(alike, "requests")]
    rates = [_sum(alike, "failed") / _sum(alike, "requests") for alike in with_traffic]
    slow = [found for found in (_p99(alike) for alike in with_traffic) if found is not None]
    minutes = max(1.0, (measured.end - measured.start) / MINUTE)
    many = sum(_sum(alike, "requests") for alike in with_traffic) / minutes
    return Usual(median(rates) if rates else 0.0, median(slow) if slow else None, many)


def _better(usual: Usual, before: Usual | None) -> Usual:
    """The better of both, each figure by itself; what had no traffic says nothing."""
    if before is None or not before.requests:
        return usual
    known = [p99 for p99 in (usual.p99, before.p99) if p99 is not None]
    rate = min(usual.error_rate, before.error_rate) if usual.requests else before.error_rate
    return Usual(rate, min(known, default=None), max(usual.requests, before.requests))


def silence(measured: Metrics, before: Usual | None) -> Window | None:
    """The longest stretch without any request after there had been some that is no chance; None: there was none.

    Without requests a load balancer measures nothing, whatever the reason: nobody asked, or nobody reached it.  So many
    minutes without one must have a chance below CHANCE at the usual rate (Poisson).
    """
    busy = sorted({minute.at for minute in measured.minutes if minute.requests})
    edges = [*([measured.start - MINUTE] if before and before.requests else []), *busy, measured.end]
    spans = [Window(last + MINUTE, next) for last, next in pairwise(edges) if next - last > MINUTE]
    longest = max(spans, key=lambda span: span.end - span.start, default=None)
    if longest is None:
        return None
    many = _better(usual_of(measured), before).requests * ((longest.end - longest.start) / MINUTE)
    return longest if math.exp(-many) < CHANCE else None


def unlikely(failed: float, requests: float, rate: float) -> bool:
    """Whether so many failures or more have a chance below CHANCE when each request fails at that rate (Poisson)."""
    return failed > 0 and tail(int(failed), requests * rate) < CHANCE


def tail(count: int, mean: float) -> float:
    """The chance of at least `count` events where `mean` are expected, events being independent (Poisson)."""
    if count <= mean or count == 0:
        return 1.0
    if mean == 0:
        return 0.0
    # Above the mean the terms fall at least as fast as a geometric series: the first ones are enough.
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    total, number = 0.0, count
    while term > total * 1e-12:
        total += term
        number += 1
        term *= mean / number
    return min(1.0, total)


def _moment(at: datetime, alike: Sequence[Minute], usual: Usual, objective: Objective) -> Moment:
    requests, failed, p99 = _sum(alike, "requests"), _sum(alike, "failed"), _p99(alike)
    promised, limit = 1 - objective.availability_percent / 100, objective.latency_ms / 1000
    allowed = max(min(usual.error_rate, 2 * promised), promised)
    slow = p99 is not None and p99 > limit and p99 > SLOWER * min(usual.p99 or 0.0, limit)
    return Moment(at, requests, failed, p99, unlikely(failed, requests, allowed), slow)


def _by_minute(minutes: Iterable[Minute]) -> list[tuple[datetime, list[Minute]]]:
    found: dict[datetime, list[Minute]] = {}
    for minute in minutes:
        found.setdefault(minute.at, []).append(minute)
    return sorted(found.items())


def _stretches(bad: Sequence[Moment]) -> list[list[Moment]]:
    found: list[list[Moment]] = []
    for moment in bad:
        if found and moment.at - found[-1][-1].at <= BRIDGE:
            found[-1].append(moment)
        else:
            found.append([moment])
    return found


def _sum(alike: Iterable[Minute], name: str) -> float:
    return float(sum(getattr(minute, name) or 0 for minute in alike))


def _p99(alike: Iterable[Minute]) -> float | None:
    return max((minute.p99 for minute in alike if minute.p99 is not None and minute.requests), default=None)
