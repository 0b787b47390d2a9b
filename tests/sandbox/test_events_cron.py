"""Cron expressions: when they are due, and which are none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import cron

CASES = yaml.load((Path(__file__).parents[1] / "cases/events/cron.yaml").read_text(), yaml.BaseLoader)
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("expression", CASES)
def test_a_schedule_is_due_at_these_times(expression: str) -> None:
    """One after the other, to the end of its years."""
    moment: datetime | None = MONDAY
    for wanted in CASES[expression]:
        assert moment is not None
        moment = cron.following(cron.read(expression), moment)
        assert f"{moment:%Y-%m-%dT%H:%M}" == wanted
    if not CASES[expression]:
        assert cron.following(cron.read(expression), MONDAY) is None


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 9 * * * *)",
        "cron(0 9 ? * ? *)",
        "cron(0 9 * * ?)",
        "cron(60 9 * * ? *)",
        "cron(0 9 32 * ? *)",
        "cron(0/0 9 * * ? *)",
        "cron(x 9 * * ? *)",
        "cron(0 9 15W * ? *)",
        "cron(0 9 * * ? *",
    ],
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    """In AWS's words."""
    with pytest.raises(AwsError, match="Parameter ScheduleExpression is not valid"):
        cron.read(expression)
