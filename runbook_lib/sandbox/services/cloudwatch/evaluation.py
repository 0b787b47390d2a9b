"""When an alarm goes off: M of N points of what can be read, and what missing points count as.

CloudWatch user guide, alarms-and-missing-data: more points than N are fetched (the evaluation range); with enough
real ones only the newest N of them count, else the gaps are filled as the alarm says.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch.queries import series_of
from runbook_lib.sandbox.services.cloudwatch.store import MINUTE, Alarm, key, store, visible

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

EXTRA = 2  # periods fetched beyond N: five for an N of three
TICK = 10.0  # seconds after the minute
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def verdict(points: Sequence[bool | None], *, needed: int, of: int, missing: str, now: str) -> str:
    """The state that follows from an evaluation range, oldest first: True breaches, None is missing."""
    real = [point for point in points if point is not None]
    if len(real) >= of:
        return _state(sum(real[-of:]) >= needed)
    if missing in ("breaching", "notBreaching"):
        return _state(sum(real) + (of - len(real)) * (missing == "breaching") >= needed)
    if not real:
        return now if missing == "ignore" else "INSUFFICIENT_DATA"
    if not all(real):
        return _state(sum(real) >= needed)
    if missing == "ignore":
        return now
    # Nothing but breaching points: they count once the oldest of them is as old as M periods ("premature" rule).
    age = len(points) - list(points).index(True)
    return "ALARM" if age >= needed else now


def tick(world: World) -> None:
    """Evaluate every alarm, once a minute."""
    from runbook_lib.sandbox.services.cloudwatch import alarms

    for alarm in list(store(world).alarms.values()):
        if "AlarmRule" not in alarm.told:
            alarms.enter(world, alarm, *evaluate(world, alarm))
    for alarm in list(store(world).alarms.values()):
        if "AlarmRule" in alarm.told:
            alarms.enter(world, alarm, *alarms.evaluate_rule(world, alarm))
    if store(world).alarms:
        world.at(world.now + MINUTE, "cloudwatch.tick", background=True)
    else:
        store(world).ticking = False


def start(world: World) -> None:
    """Begin to evaluate, at the next minute."""
    if not store(world).ticking:
        store(world).ticking = True
        world.at((world.now // MINUTE + 1) * MINUTE + TICK, "cloudwatch.tick", background=True)


def evaluate(world: World, alarm: Alarm) -> tuple[str, str]:
    """The state that an alarm should be in now, and the reason."""
    told, period = alarm.told, _period(alarm.told)
    of = told["EvaluationPeriods"]
    end = world.now // period * period
    begin = end - (of + EXTRA) * period
    series = _watched(world, told, begin, end, period)
    values = [series.get(begin + step * period) for step in range(of + EXTRA)]
    breaches = COMPARISONS[told["ComparisonOperator"]]
    points = [None if value is None else breaches(value, told["Threshold"]) for value in values]
    state = verdict(
        points,
        needed=told.get("DatapointsToAlarm", of),
        of=of,
        missing=told.get("TreatMissingData", "missing"),
        now=alarm.state,
    )
    return state, _reason(state, told, [value for value in values if value is not None][-of:])


def _watched(world: World, told: Mapping[str, Any], begin: float, end: float, period: int) -> dict[float, float]:
    if "Metrics" in told:
        known = series_of(world, told["Metrics"], begin, end)
        returned = next(query["Id"] for query in told["Metrics"] if query.get("ReturnData", True))
        value = known[returned]
        return value if isinstance(value, dict) else {}
    metric = key(told["Namespace"], told["MetricName"], told.get("Dimensions", ()))
    statistic = told.get("Statistic") or told["ExtendedStatistic"]
    return {at: found.statistic(statistic) for at, found in visible(world, metric, begin, end, period).items()}


def _period(told: Mapping[str, Any]) -> int:
    if "Metrics" in told:
        return max(q["MetricStat"]["Period"] for q in told["Metrics"] if "MetricStat" in q)
    return int(told["Period"])


def _state(breaching: bool) -> str:
    return "ALARM" if breaching else "OK"


def _reason(state: str, told: Mapping[str, Any], values: Sequence[float]) -> str:
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {told['EvaluationPeriods']} datapoints were unknown."
    shown = ", ".join(f"{value:g}" for value in reversed(values))
    how = "greater" if told["ComparisonOperator"].startswith("Greater") else "less"
    crossed = "was" if state == "ALARM" else "was not"
    if not values:
        return f"Threshold Crossed: no datapoints were received and missing ones are {told.get('TreatMissingData')}."
    limit = f"{how} than the threshold ({told['Threshold']:g})"
    return f"Threshold Crossed: {len(values)} datapoints [{shown}] {crossed} {limit}."
