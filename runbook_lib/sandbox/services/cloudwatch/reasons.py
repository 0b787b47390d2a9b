"""Why an alarm is in its state, in CloudWatch's words and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch import transitions
from runbook_lib.sandbox.services.cloudwatch.store import Window

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

COMPARED = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True)
class Seen:
    """The newest points of an evaluation, oldest first, whether each breaches, and what they led from and to."""

    points: tuple[tuple[float, float, bool], ...]
    before: str
    state: str

    @property
    def deciding(self) -> tuple[tuple[float, float], ...]:
        """The points that speak for the state, newest first."""
        alarming = self.state == "ALARM"
        return tuple((at, value) for at, value, breaches in reversed(self.points) if breaches == alarming)


def reason(world: World, told: Mapping[str, Any], seen: Seen) -> str:
    """The reason for a state."""
    of = told["EvaluationPeriods"]
    if seen.state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_many(of, 'datapoint', 'was', 'were')} unknown."
    if not seen.deciding:
        missing, treated = of - len(seen.points), TREATED.get(told.get("TreatMissingData", "missing"), "missing")
        return (
            f"Threshold Crossed: no datapoints were received for {_many(missing, 'period')} and "
            f"{_many(missing, 'missing datapoint', 'was', 'were')} treated as [{treated}]."
        )
    return f"Threshold Crossed: {_crossed(world, told, seen)}"


def _crossed(world: World, told: Mapping[str, Any], seen: Seen) -> str:
    of, points, alarming = told["EvaluationPeriods"], seen.deciding, seen.state == "ALARM"
    to_alarm = told.get("DatapointsToAlarm", of)
    needed = to_alarm if alarming else of - to_alarm + 1
    shown = ", ".join(f"{value} ({world.datetime(at):%d/%m/%y %H:%M:%S})" for at, value in points)
    was = ("was" if len(points) == 1 else "were") + ("" if alarming else " not")
    limit = f"{was} {COMPARED[told['ComparisonOperator']]} the threshold ({float(told['Threshold'])})"
    if of == 1:
        return f"1 datapoint [{shown}] {limit}."
    change = f"(minimum {_many(needed, 'datapoint')} for {seen.before} -> {seen.state} transition)"
    return f"{len(points)} out of the last {_many(of, 'datapoint')} [{shown}] {limit} {change}."


def _many(number: int, noun: str, one: str = "", more: str = "") -> str:
    return f"{number} {noun} {one}".strip() if number == 1 else f"{number} {noun}s {more}".strip()


def data(world: World, told: Mapping[str, Any], seen: Seen, window: Window) -> str:
    """The figures of an evaluation, as JSON."""
    found = {
        "version": "1.0",
        "queryDate": transitions.stamp(world, world.now),
        **({"startDate": transitions.stamp(world, seen.points[0][0])} if seen.points else {}),
        **{shown: told[name] for name, shown in (("Unit", "unit"), ("Statistic", "statistic")) if name in told},
        "period": window.period,
        "recentDatapoints": [value for _, value, _ in seen.points],
        "threshold": float(told["Threshold"]),
        "evaluatedDatapoints": [
            {"timestamp": transitions.stamp(world, at), "value": value} for at, value, _ in reversed(seen.points)
        ],
    }
    return json.dumps(found, separators=(",", ":"))
