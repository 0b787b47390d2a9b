"""The rules of Application Auto Scaling by themselves: what a step asks for, and when a schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.applicationautoscaling import deciding, schedule

STEPS = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
]


@pytest.mark.parametrize(
    ("config", "running", "excess", "count"),
    [
        ({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": STEPS}, 2, 0.0, 3),
        ({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": STEPS}, 2, 20.0, 5),
        ({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": STEPS}, 2, -1.0, None),
        ({"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": 4}]}, 2, 9.0, 4),
        ({"AdjustmentType": "PercentChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 10}]}, 2, 9.0, 3),
        ({"AdjustmentType": "PercentChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": -35}]}, 10, -9.0, 7),
        (
            {
                "AdjustmentType": "PercentChangeInCapacity",
                "MinAdjustmentMagnitude": 2,
                "StepAdjustments": [{"ScalingAdjustment": 10}],
            },
            10,
            9.0,
            12,
        ),
    ],
)
def test_steps_are_counted(config: dict[str, Any], running: int, excess: float, count: int | None) -> None:
    """Bounds, percents rounded towards zero but never to nothing, and the least change."""
    assert deciding.stepped(running, config, excess=excess) == count


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "At least one step adjustment"),
        ([{"MetricIntervalLowerBound": 5, "MetricIntervalUpperBound": 1}], "must be less than its upper bound"),
        ([{"MetricIntervalLowerBound": 0}, {"MetricIntervalLowerBound": 10}], "can't overlap"),
        ([{"MetricIntervalUpperBound": 0}, {"MetricIntervalLowerBound": 10}], "can't be a gap"),
        (STEPS, ""),
    ],
)
def test_intervals_of_steps_are_checked(steps: list[dict[str, float]], words: str) -> None:
    """They cover the line without gaps and overlaps."""
    assert words in deciding.wrong_steps(steps)
    assert bool(words) == bool(deciding.wrong_steps(steps))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "zone", "due"),
    [
        ("rate(5 minutes)", "UTC", "2026-03-02T10:05:00"),
        ("at(2026-03-02T12:00:00)", "UTC", "2026-03-02T12:00:00"),
        ("at(2026-03-02T12:00:00)", "Europe/Berlin", "2026-03-02T11:00:00"),
        ("cron(0 8 * * ? *)", "UTC", "2026-03-03T08:00:00"),
        ("cron(0/15 10 ? * MON-FRI *)", "UTC", "2026-03-02T10:15:00"),
        ("cron(30 9 1 JAN,JUL ? 2027)", "UTC", "2027-01-01T09:30:00"),
    ],
)
def test_a_schedule_tells_its_next_time(expression: str, zone: str, due: str) -> None:
    """After ten on a Monday."""
    now = seconds("2026-03-02T10:00:00")
    assert schedule.next_time(expression, zone, after=now, origin=now) == seconds(due)


@pytest.mark.parametrize(
    ("expression", "zone", "words"),
    [
        ("every(5 minutes)", "UTC", "ValidationException: Invalid schedule expression: every(5 minutes)"),
        ("rate(0 minutes)", "UTC", "ValidationException: Invalid rate expression"),
        ("at(tomorrow)", "UTC", "ValidationException: Invalid at expression: at(tomorrow)"),
        ("cron(0 8 * *)", "UTC", "ValidationException: Invalid cron expression"),
        ("cron(0 25 * * ? *)", "UTC", "ValidationException: Invalid hours in"),
        ("cron(0 8 L * ? *)", "UTC", "NotImplemented: application-autoscaling: L, W and #"),
        ("cron(0 8 * * ? *)", "Mars/Base", "ValidationException: Invalid timezone: Mars/Base"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(expression: str, zone: str, words: str) -> None:
    """With the expression; what AWS knows and the sandbox does not is told apart."""
    with pytest.raises(AwsError) as refused:
        schedule.next_time(expression, zone, after=0.0, origin=0.0)
    assert words in str(refused.value)
