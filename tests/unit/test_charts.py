"""Charts read themselves aloud: the claim in the title, the numbers, and whether it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runbook_lib.metric import Metrics, Minute
from runbook_lib.views import charts
from runbook_lib.views.axis import Roles, Timeline

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WHO = Roles(blue="a", green="b")
Shares = tuple[tuple[datetime, float], ...]


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


AXIS = Timeline(START, at(-5), at(5), at(5), ())
PLAIN = Minute(START, "a", 100, 0, 0, 0.01, 0.02, 0.03, 2, 0)


def measured(*green: float, **more: float) -> Metrics:
    """Minutes of 100 requests from the start on; green gets so many of each, and `more` holds for all."""
    minutes = []
    for number, share in enumerate(green):
        for group, requests in (("a", 100 - share), ("b", share)):
            minutes.append(replace(PLAIN, at=at(number), group=group, requests=requests, **more))
    return Metrics(START, at(len(green)), tuple(minutes))


def steps(*shares: float) -> Shares:
    return tuple((at(number), share) for number, share in enumerate(shares))


def test_shares_that_are_as_asked_hold_the_claim() -> None:
    """The end, the last minute that is measured, and the largest difference, all with their numbers."""
    chart = charts.shares(measured(0, 50, 100), WHO, AXIS, requested=steps(0, 50, 100), configured=steps(0, 50, 100))
    assert chart.sentence == (
        "At the end 100 % were requested and 100 % configured. The last minute that is measured ends at T+03:00: "
        "100 % were observed and 100 % requested in it. No minute differs by more than 0 points. The claim holds."
    )


def test_shares_that_are_not_as_asked_break_the_claim() -> None:
    """A minute that differs by more than the tolerance is enough."""
    chart = charts.shares(measured(0, 20), WHO, AXIS, requested=steps(0, 50), configured=steps(0, 50))
    assert "differs by more than 30 points. The claim does not hold." in chart.sentence


def test_a_share_that_changes_within_a_minute_counts_by_time() -> None:
    """Half a minute at 0 and half a minute at 100 is 50."""
    chart = charts.shares(measured(50), WHO, AXIS, requested=((START, 0), (at(0.5), 100)), configured=())
    assert "50 % were observed and 50 % requested" in chart.sentence


def test_unknown_weights_are_not_taken_for_none() -> None:
    """Without a journal nothing is said to be configured, least of all 0 %."""
    chart = charts.shares(measured(100), WHO, AXIS, requested=steps(100), configured=())
    assert "no configured share is known: no journal has it" in chart.sentence


def test_minutes_before_the_deployment_are_drawn_and_not_judged() -> None:
    """They belong to the deployment before, whose green may be this one's blue."""
    before = Metrics(at(-2), at(1), (replace(PLAIN, at=at(-2), group="b"), replace(PLAIN, at=START, group="a")))
    chart = charts.shares(before, WHO, AXIS, requested=steps(0), configured=steps(0))
    assert chart.data["observed"][0] == (-1.5, 100.0)
    assert "The claim holds." in chart.sentence


@pytest.mark.parametrize(("failed", "told"), [(1, "The claim holds."), (9, "The claim does not hold.")])
def test_errors_are_judged_by_the_worst_minute(failed: float, told: str) -> None:
    """Not by the mean of all."""
    found = measured(0, 0)
    worst = replace(found.minutes[2], failed=failed)
    chart = charts.errors(replace(found, minutes=(*found.minutes[:2], worst)), WHO, AXIS, limit=5)
    assert f"in their worst minutes {failed}.00 % and 0.00 %. {told}" in chart.sentence


def test_an_unhealthy_target_breaks_the_claim_of_health() -> None:
    """One in one minute is enough."""
    chart = charts.health(measured(0, unhealthy=1), WHO, AXIS)
    assert chart.sentence.endswith("at most 1 were unhealthy. The claim does not hold.")


def test_latency_is_judged_by_the_highest_p99() -> None:
    """In milliseconds, both colours."""
    chart = charts.latency(measured(50, p99=1.2), WHO, AXIS, limit=1)
    assert chart.sentence.startswith("The highest p99 of a minute was 1200 ms on blue and 1200 ms on green.")
    assert chart.sentence.endswith("The claim does not hold.")


def test_a_chart_without_data_says_so() -> None:
    """And claims nothing."""
    assert charts.health(Metrics(START, START, ()), WHO, AXIS).sentence == "No data: nothing was measured."


def test_requests_that_nobody_answered_are_told_from_own_errors() -> None:
    """Failed is both; the difference is what the load balancer had to answer."""
    minute = replace(PLAIN, failed=7, own_errors=2)
    assert (minute.unanswered, minute.error_rate) == (5, 0.07)
