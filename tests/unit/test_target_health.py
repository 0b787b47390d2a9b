"""When a target's health changes: worked out in one step, equal to what check after check would give."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.sandbox.services.elbv2.health import Answer, Change, Schedule, Verdict, accepts, next_change, verdicts
from runbook_lib.sandbox.services.elbv2.store import HealthCheck

CHECK = HealthCheck("HTTP", "traffic-port", "/", 10, 5, 3, 2, "200", True)
FIRST = 100.0


def verdict(since: float, passes: bool) -> Verdict:
    return Verdict(since, None if passes else "Target.FailedHealthChecks")


def checked_one_by_one(state: str, since: float, found: Sequence[Verdict]) -> Change | None:
    """The same, check by check: the slow and plain way."""
    counts = {True: 0, False: 0}
    for number in range(200):
        now = FIRST + number * CHECK.interval
        if state != "initial" and now <= since:
            continue
        passes = [found[0], *(one for one in found if one.since <= now)][-1].passes
        counts = {passes: counts[passes] + 1, not passes: 0}
        if state != "healthy" and counts[True] >= (1 if state == "initial" else CHECK.healthy):
            return Change(now, "healthy")
        if state != "unhealthy" and counts[False] >= CHECK.unhealthy:
            return Change(now, "unhealthy")
    return None


@st.composite
def timelines(draw: st.DrawFn) -> list[Verdict]:
    """Verdicts from the beginning of time on, changing at whole seconds."""
    moments = sorted(draw(st.sets(st.integers(50, 400), max_size=6)))
    return [verdict(0, draw(st.booleans())), *(verdict(float(moment), draw(st.booleans())) for moment in moments)]


@given(st.sampled_from(["initial", "healthy", "unhealthy"]), st.integers(100, 200), timelines())
@example("unhealthy", 100, [verdict(0, False), verdict(191, True), verdict(211, False), verdict(212, True)])
def test_next_change_is_what_check_after_check_gives(state: str, since: int, found: list[Verdict]) -> None:
    """The one-step answer equals the slow one for every state and every course of answers."""
    schedule = Schedule(FIRST, CHECK.interval)
    assert next_change(state, float(since), CHECK, schedule, found) == checked_one_by_one(state, float(since), found)


@given(st.floats(0, 1000), st.floats(0.5, 300), st.floats(0, 2000))
def test_a_check_is_never_scheduled_before_it_is_asked_for(first: float, interval: float, moment: float) -> None:
    """The next check is at the moment or less than an interval after it, and never before the first."""
    found = Schedule(first, interval).next(moment)
    assert found >= first
    assert found >= moment - 1e-6
    assert found == first or found - moment < interval + 1e-6


def test_a_new_target_is_healthy_after_one_passed_check() -> None:
    """The threshold of healthy checks counts on the way back only."""
    change = next_change("initial", 0, CHECK, Schedule(FIRST, 10), [verdict(0, False), verdict(104, True)])
    assert change == Change(110, "healthy")


def test_a_target_that_times_out_changes_when_the_time_is_over() -> None:
    """A silent target is given the check's time-out before it counts as failed."""
    found = verdicts(CHECK, [Answer(0, None, silent=True)])
    assert next_change("initial", 0, CHECK, Schedule(FIRST, 10), found) == Change(110 + CHECK.timeout, "unhealthy")


def test_a_well_target_never_changes() -> None:
    """What stays as it is needs no event."""
    assert next_change("healthy", 120, CHECK, Schedule(FIRST, 10), [verdict(0, True)]) is None


@pytest.mark.parametrize(
    ("codes", "status", "accepted"),
    [("200", 200, True), ("200", 204, False), ("200,302", 302, True), ("200-299", 299, True), ("200-299", 301, False)],
)
def test_a_matcher_accepts_lists_and_ranges(codes: str, status: int, accepted: bool) -> None:
    """Codes are given one by one, in lists or in ranges."""
    assert accepts(codes, status) is accepted


def test_a_wrong_code_is_named_in_the_description() -> None:
    """The reason tells the operator which code the target answered."""
    assert verdicts(CHECK, [Answer(0, 503)])[0].description == "Health checks failed with these codes: [503]"


def test_one_passed_check_ends_a_streak_of_failures() -> None:
    """A streak of failures that is cut short by one passed check begins anew."""
    found = [verdict(0, True), verdict(125, False), verdict(135, True), verdict(145, False)]
    assert next_change("healthy", 100, CHECK, Schedule(FIRST, 10), found) == Change(160, "unhealthy")
