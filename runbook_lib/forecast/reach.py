"""How fast an alarm can react, compared with the shift."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runbook_lib.analysis.power import reaches
from runbook_lib.forecast.course import AlarmRule, Shift, Traffic

SURE = 0.5  # an alarm whose minutes breach less often than this cannot be counted on


@dataclass(frozen=True)
class Reach:
    """What an alarm sees of a rise: minutes since the shift began, None where it does not see it.

    `earliest` is the soonest that it can change its state, whatever happens; `expected` is when it does for the rise
    that must be seen, and `share` what part of the traffic green has by then.
    """

    earliest: float
    expected: float | None
    share: float | None


def reach(alarm: AlarmRule, traffic: Traffic, shift: Shift, rise: float) -> Reach:
    """When an alarm reacts to a rise of green's error rate by so much (0.01: one percentage point)."""
    earliest = alarm.breaching + alarm.lag_seconds / 60
    rate = min(1.0, traffic.error_rate + rise)
    chances = [_breaches(alarm, 60 * share * traffic.requests_per_second, rate) for _, share in shift.steps]
    for (start, _), chance in zip(shift.steps, chances, strict=True):
        if chance >= SURE and alarm.breaching / chance <= alarm.evaluated:
            # Minutes of the metrics do not begin with the step: half a minute is lost on average.
            expected = start + 0.5 + alarm.breaching / chance + alarm.lag_seconds / 60
            return Reach(earliest, expected, share_at(shift, expected))
    return Reach(earliest, None, None)


def share_at(shift: Shift, minute: float) -> float:
    """Green's share at a minute of the shift."""
    return max((share for start, share in shift.steps if start <= minute), default=0.0)


def _breaches(alarm: AlarmRule, requests: float, rate: float) -> float:
    """The chance that a minute with so many requests counts as breaching."""
    if requests < alarm.least_requests:
        return 0.0
    return reaches(math.floor(alarm.rate * requests) + 1, rate * requests)
