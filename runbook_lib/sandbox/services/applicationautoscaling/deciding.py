"""How many tasks a policy asks for: pure arithmetic over what was seen.

Sources: Application Auto Scaling user guide, application-auto-scaling-target-tracking and
application-auto-scaling-step-scaling-policies (bounds and rounding of step adjustments).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

INFINITE = float("inf")


def tracked(running: int, *, value: float, target: float) -> int:
    """The count at which the metric would stand at its target, if it shrinks in proportion."""
    return math.ceil(round(running * value / target, 9))


def stepped(running: int, config: Mapping[str, Any], *, excess: float) -> int | None:
    """The count after the step that the excess over the alarm's threshold falls into; None when none fits."""
    step = next((one for one in config.get("StepAdjustments", ()) if _holds(one, excess)), None)
    if step is None:
        return None
    adjustment = step["ScalingAdjustment"]
    if config["AdjustmentType"] == "ExactCapacity":
        return int(adjustment)
    change = adjustment if config["AdjustmentType"] == "ChangeInCapacity" else _percent(running, adjustment)
    least = config.get("MinAdjustmentMagnitude", 0)
    if config["AdjustmentType"] == "PercentChangeInCapacity" and abs(change) < least:
        change = least if adjustment > 0 else -least
    return max(0, running + change)


def _holds(step: Mapping[str, Any], excess: float) -> bool:
    """Above the threshold the lower bound is inclusive and the upper one is not; below it the other way round."""
    low, high = step.get("MetricIntervalLowerBound", -INFINITE), step.get("MetricIntervalUpperBound", INFINITE)
    return bool(low <= excess < high if excess >= 0 else low < excess <= high)


def _percent(running: int, adjustment: int) -> int:
    """Rounded towards zero, but never to nothing."""
    change = running * adjustment / 100
    if 0 < abs(change) < 1:
        return 1 if change > 0 else -1
    return int(change)


def wrong_steps(steps: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong with the intervals of step adjustments, or ""."""
    bounds = sorted(
        (one.get("MetricIntervalLowerBound", -INFINITE), one.get("MetricIntervalUpperBound", INFINITE)) for one in steps
    )
    if not bounds:
        return "At least one step adjustment must be specified"
    if any(low >= high for low, high in bounds):
        return "The lower bound of a step adjustment must be less than its upper bound"
    if any(high > low for (_, high), (low, _) in pairwise(bounds)):
        return "Step adjustment intervals can't overlap"
    if any(high < low for (_, high), (low, _) in pairwise(bounds)):
        return "There can't be a gap between the intervals of step adjustments"
    return ""
