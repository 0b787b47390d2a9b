"""When an alarm goes off: M of N points of what can be read, and what missing points count as.

CloudWatch user guide, alarms-and-missing-data: more points than N are fetched (the evaluation range); with enough
real ones only the newest N of them count, else the gaps are filled as the alarm says. The window slides with the
minutes, whatever the period (alarm-evaluation).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import alarm_rules, reasons, transitions
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, MINUTE
from runbook_lib.sandbox.services.cloudwatch.queries import series_of
from runbook_lib.sandbox.services.cloudwatch.reasons import Seen
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, Window, key, store, visible

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

EXTRA = 2  # periods fetched beyond N: five for an N of three
TICK = 10.0  # seconds after the minute
OFTEN = 10  # seconds between evaluations of an alarm whose period is shorter than a minute
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


def _state(breaching: bool) -> str:
    return "ALARM" if breaching else "OK"


def check(world: World, told: Mapping[str, Any]) -> None:
    """Raises AwsError for an expression that cannot be evaluated, or that gives more than one series."""
    if "Metrics" in told:
        alarm_rules.check_span(_period(told), told["EvaluationPeriods"])
        found = series_of(world, told["Metrics"], world.now - MINUTE, world.now)[_returned(told)]
        if len(found) != 1:
            raise AwsError("ValidationError", f"An alarm watches one time series, not {len(found)}")


def tick(world: World) -> None:
    """Event: evaluate the alarms that are due."""
    alarms = list(store(world).alarms.values())
    for alarm in alarms:
        if not alarm.composite and _due(alarm, world.now):
            transitions.enter(world, alarm, *evaluate(world, alarm))
    for alarm in alarms:
        if alarm.composite and _on_the_minute(world.now):
            transitions.reconsider(world, alarm)
    store(world).ticking = False
    start(world)


def start(world: World) -> None:
    """Let the alarms be evaluated, as long as there are any."""
    known = store(world).alarms
    if store(world).ticking or not known:
        return
    store(world).ticking = True
    often = any(not alarm.composite and _period(alarm.told) < MINUTE for alarm in known.values())
    due = world.now // OFTEN * OFTEN + OFTEN if often else (world.now // MINUTE + 1) * MINUTE + TICK
    world.at(due, "cloudwatch.tick", background=True)


def _due(alarm: Alarm, now: float) -> bool:
    """Every ten seconds with a short period, every hour when it looks back more than a day, else every minute."""
    period = _period(alarm.told)
    if period < MINUTE:
        return True
    if period * alarm.told["EvaluationPeriods"] > DAY:
        return (now - TICK) % HOUR == 0
    return _on_the_minute(now)


def _on_the_minute(now: float) -> bool:
    return (now - TICK) % MINUTE == 0


def evaluate(world: World, alarm: Alarm) -> tuple[str, str, str]:
    """The state that an alarm should be in now, the reason, and the figures of it."""
    told = alarm.told
    of, window = told["EvaluationPeriods"], _window(told, world.now)
    series = _watched(world, told, window)
    values = [series.get(at) for at in window.grid]
    breaches = COMPARISONS[told["ComparisonOperator"]]
    points = [None if value is None else breaches(value, told["Threshold"]) for value in values]
    state = verdict(
        points,
        needed=told.get("DatapointsToAlarm", of),
        of=of,
        missing=told.get("TreatMissingData", "missing"),
        now=alarm.state,
    )
    real = [(at, value, breaches(value, told["Threshold"])) for at, value in series.items()]
    seen = Seen(tuple(real[-of:]), alarm.state, state)
    return state, reasons.reason(world, told, seen), reasons.data(world, told, seen, window)


def _window(told: Mapping[str, Any], now: float) -> Window:
    period, of = _period(told), told["EvaluationPeriods"]
    step = MINUTE if period >= MINUTE else OFTEN
    end = now // step * step
    return Window(end - (of + EXTRA) * period, end, period)


def _watched(world: World, told: Mapping[str, Any], window: Window) -> Mapping[float, float]:
    if "Metrics" in told:
        return series_of(world, told["Metrics"], window.start, window.end)[_returned(told)][0].points
    metric = key(told["Namespace"], told["MetricName"], told.get("Dimensions", ()))
    statistic = told.get("Statistic") or told["ExtendedStatistic"]
    found = visible(world, metric, window, unit=told.get("Unit"))
    values = {at: samples.statistic(statistic) for at, samples in found.items()}
    return {at: value for at, value in values.items() if value is not None}


def _returned(told: Mapping[str, Any]) -> str:
    return str(next(query["Id"] for query in told["Metrics"] if query.get("ReturnData", True)))


def _period(told: Mapping[str, Any]) -> int:
    if "Metrics" in told:
        return max(query["MetricStat"]["Period"] for query in told["Metrics"] if "MetricStat" in query)
    return int(told["Period"])
