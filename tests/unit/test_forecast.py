"""The forecast: what it says before a release is what the release can do, and what cannot be judged is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.analysis import LOGS, METRICS, PROBES, Source
from runbook_lib.analysis.power import mean_for, reaches
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.forecast import (
    AlarmRule,
    Forecast,
    Objective,
    Shift,
    Traffic,
    Waits,
    config_of,
    forecast,
    shift_of,
)
from runbook_lib.forecast.chance import _first_passage
from runbook_lib.forecast.course import STOCK

CANARY = Shift("canary", 10, 15)
LINEAR = Shift("linear", 10, 1)
WAITS = Waits(start=2, hooks=1, ready=5, termination=30)


def of(shift: Shift = CANARY, source: Source = METRICS, rise: float = 0.01, **traffic: Any) -> Forecast:
    """A forecast of an ordinary service: 100 requests a second, 1 percent failed, 80 and 140 ms."""
    today = {"requests_per_second": 100, "error_rate": 0.01, "p50_ms": 80, "p95_ms": 140, **traffic}
    alarm = AlarmRule(rate=0.05, breaching=2, evaluated=3, least_requests=20, lag_seconds=60)
    return forecast(Traffic(**today), shift, WAITS, alarm=alarm, source=source, objective=Objective(rise))


def test_the_time_line_is_told_step_by_step() -> None:
    """From the first task to the end of blue; until then going back is instant."""
    found = of(Shift("linear", 50, 3))
    assert [(stage.name, stage.start, stage.end, stage.share) for stage in found.stages] == [
        ("green starts", 0, 2, 0),
        ("hooks and test traffic", 2, 3, 0),
        ("wait", 3, 8, 0),
        ("50% on green", 8, 11, 0.5),
        ("all on green, blue waits", 11, 41, 1),
    ]
    assert found.instant_until == 41


@pytest.mark.parametrize(
    ("shift", "steps"),
    [
        (Shift("canary", 25, 45), ((0, 0.25), (45, 1))),
        (Shift("linear", 30, 2), ((0, 0.3), (2, 0.6), (4, 0.9), (6, 1))),
        (Shift("all_at_once", 100, 0), ((0, 1),)),
    ],
)
def test_a_shift_has_the_steps_of_its_configuration(shift: Shift, steps: tuple[tuple[float, float], ...]) -> None:
    """The last step takes what is left."""
    assert np.array(shift.steps) == pytest.approx(np.array(steps))
    assert shift.compared_minutes == steps[-1][0]


def test_the_stock_linear_shift_ends_nine_minutes_after_its_first_step() -> None:
    """Ten steps, as AWS counts them; and green's requests add up."""
    shift = shift_of("CodeDeployDefault.ECSLinear10PercentEvery1Minutes")
    assert shift.compared_minutes == 9
    assert shift.green_until(9, 10) == pytest.approx(10 * 60 * 4.5)
    assert {name: config_of(shift_of(name)) for name in STOCK} == {name: name for name in STOCK}
    assert config_of(Shift("canary", 20, 7)) is None


def test_an_unknown_configuration_is_refused_with_the_nearest() -> None:
    """Nobody guesses what it does."""
    with pytest.raises(BadInput, match="ECSCanary10Percent15Minutes"):
        shift_of("CodeDeployDefault.ECSCanary10Percent15Minute")


@pytest.mark.parametrize(("minutes", "refused"), [(4, True), (5, False), (15, False)])
def test_a_canary_shorter_than_the_lag_and_two_minutes_is_refused(minutes: int, refused: bool) -> None:
    """Metrics come three minutes late and in minutes; fifteen minutes are proposed."""
    found = of(Shift("canary", 10, minutes))
    assert (found.refused is not None) == refused
    assert (found.checks().answers[0].verdict == Verdict.FAIL) == refused
    if refused:
        assert found.better == CANARY
        assert "it takes 5 min to see anything" in str(found.refused)
        assert "step_percent=10, step_minutes=15" in found.checks().answers[0].remedy


def test_a_canary_of_five_minutes_cannot_see_what_fifteen_see() -> None:
    """It is said so, and the longer one is proposed."""
    short, long = of(Shift("canary", 10, 5), rise=0.015), of(CANARY, rise=0.015)
    assert not short.sees_enough
    assert short.better == CANARY
    assert short.checks().verdict == Verdict.INCONCLUSIVE
    assert long.sees_enough
    assert long.better is None
    assert long.checks().verdict == Verdict.OK


def test_what_is_proposed_sees_enough() -> None:
    """With a tenth of the traffic another one than usual."""
    found = of(requests_per_second=10, source=PROBES)
    assert found.better is not None
    assert of(found.better, PROBES, requests_per_second=10).sees_enough


def test_where_nothing_helps_it_is_said() -> None:
    """One request in ten seconds tells nobody anything within two hours."""
    found = of(requests_per_second=0.1)
    assert found.better is None
    assert "no canary up to two hours" in found.checks().bad[0].remedy


def test_all_at_once_can_see_nothing() -> None:
    """There is no time at which both versions have traffic; going ahead stays a choice."""
    found = of(Shift("all_at_once", 100, 0))
    assert found.refused is None
    assert found.errors.chance == found.latency.chance == 0
    assert found.errors.smallest is None
    assert found.better == CANARY


def test_little_that_is_probed_is_little_that_is_seen() -> None:
    """Own probes see what they send, while everybody's requests are hurt."""
    all_seen, few_seen = of(source=PROBES), of(source=PROBES, seen_per_second=2)
    assert few_seen.errors.chance < all_seen.errors.chance
    assert few_seen.errors.hurt > all_seen.errors.hurt


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([CANARY, LINEAR, Shift("canary", 50, 10)]),
    st.sampled_from([METRICS, PROBES]),
    st.sampled_from([20.0, 100.0, 1000.0]),
)
def test_more_of_everything_is_found_out_more_surely(shift: Shift, source: Source, rate: float) -> None:
    """More traffic, a larger rise, a longer canary; and the smallest rate is found out as surely as it says."""
    base = of(shift, source, requests_per_second=rate)
    assert of(shift, source, requests_per_second=2 * rate).errors.chance >= base.errors.chance - 0.02
    assert of(shift, source, 0.02, requests_per_second=rate).errors.chance >= base.errors.chance - 1e-9
    assert base.errors.chance <= base.errors.chance_late + 1e-9
    if base.errors.smallest is not None:
        again = of(shift, source, base.errors.smallest - 0.01, requests_per_second=rate)
        assert again.errors.chance == pytest.approx(0.8, abs=0.06)


def test_later_data_hurt_more_requests() -> None:
    """The same evidence, acted on ten minutes later."""
    assert of(source=LOGS).errors.hurt > of(source=PROBES).errors.hurt
    acted = [of(source=source).errors.acted for source in (LOGS, PROBES)]
    assert acted[0] == pytest.approx(10 + acted[1])  # type: ignore[operator]


def test_first_passage_is_what_a_simulation_does() -> None:
    """Against 20,000 Poisson processes that are looked at twelve times."""
    mean, limit = np.linspace(2, 30, 12), np.linspace(6, 34, 12).round()
    counts = np.cumsum(np.random.default_rng(1).poisson(np.diff(mean, prepend=0), (20_000, 12)), axis=1)
    ever = (counts >= limit).cumsum(axis=1) > 0
    assert _first_passage(mean, limit) == pytest.approx(ever.mean(axis=0), abs=0.012)


@given(st.integers(1, 3000), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_the_mean_that_reaches_a_number_is_found(count: int, power: float) -> None:
    """The two are each other's inverse."""
    assert reaches(count, mean_for(count, power)) == pytest.approx(power, abs=0.01)


def test_few_reach_what_is_counted_out() -> None:
    """P(at least 2) of a Poisson number of mean 1 is 1 - 2/e."""
    assert reaches(2, 1) == pytest.approx(1 - 2 / math.e)
    assert reaches(0, 0) == 1
    assert reaches(1, 0) == 0


def test_latency_goes_from_factor_to_share_and_back() -> None:
    """A quarter slower puts more requests above today's p95."""
    today = Traffic(100, 0.01, 80, 142.3)
    assert today.slow_share(1) == pytest.approx(0.05)
    assert today.slow_share(1.25) == pytest.approx(0.157, abs=0.002)
    assert today.slow_factor(today.slow_share(1.25)) == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("shift", "rise", "expected"),
    [(CANARY, 0.01, None), (CANARY, 0.29, 3.5), (LINEAR, 0.29, 3.5), (Shift("all_at_once", 100, 0), 0.29, 3.5)],
)
def test_an_alarm_is_compared_with_the_shift(shift: Shift, rise: float, expected: float | None) -> None:
    """Two minutes, half a one until the first begins, one of lag; a rise below its limit it never sees."""
    found = of(shift, rise=rise).alarm
    assert found.earliest == 3
    assert found.expected == (pytest.approx(expected, abs=0.01) if expected else None)
    if shift == LINEAR:
        assert found.share == pytest.approx(0.4)


def test_an_alarm_waits_for_its_minimum_of_requests() -> None:
    """With too little traffic on the canary it sounds only after the shift."""
    found = of(rise=0.29, requests_per_second=2).alarm
    assert found.expected is not None
    assert found.expected > CANARY.compared_minutes
    assert found.share == 1


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Traffic(0, 0.01, 80, 140), "requests_per_second: seen: 0"),
        (lambda: Traffic(1, 0.01, 80, 70), "more than the p50, 80 ms"),
        (lambda: Traffic(1, 0.01, 80, 140, burst=0.5), "burst: seen: 0.5"),
        (lambda: Shift("canary", 100, 5), "1 to 99"),
        (lambda: Shift("linear", 10, 0), "minutes: seen: 0"),
        (lambda: Waits(0, 0, 0, -1), "termination: seen: -1"),
        (lambda: Objective(0), "error_rise: seen: 0"),
        (lambda: Objective(0.01, latency_factor=1), "latency_factor: seen: 1"),
    ],
)
def test_what_makes_no_sense_is_refused(build: Any, told: str) -> None:
    """With what was seen and what is wanted."""
    with pytest.raises(BadInput, match=told):
        build()
