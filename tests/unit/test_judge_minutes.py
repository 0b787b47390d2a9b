"""The judge on closed minutes, as metrics give them: without clients it takes errors from several minutes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from judge_made import MINUTE, MINUTES, START, end, errors_of, minutes

from runbook_lib.analysis import ERRORS, LATENCY, METRICS, ClosedMinute, Observed, Settings, closed_minutes, judge
from runbook_lib.check import Verdict
from runbook_lib.metric import Minute
from tests.benchmarks.releases import SHARE, Scenario


def test_one_bad_minute_is_not_enough_without_clients() -> None:
    """A hundred errors of green in one minute may be one client; in every minute they are not."""
    calm = minutes(6, 54)
    spike = tuple(
        replace(minute, own_errors=100) if minute.role == "green" and minute.at == START + 5 * MINUTE else minute
        for minute in calm.minutes
    )
    assert judge([replace(calm, minutes=spike)], now=end()).of(ERRORS) != Verdict.FAIL
    assert judge([minutes(30, 54)], now=end()).of(ERRORS) == Verdict.FAIL


def test_blue_that_scatters_makes_the_judge_cautious() -> None:
    """Blue's minutes with bursts say how far one may trust a burst on green."""
    calm = minutes(14, 54)
    wild = tuple(
        replace(minute, own_errors=54 + 40 * (-1) ** minute.at.minute) if minute.role == "blue" else minute
        for minute in calm.minutes
    )
    assert judge([calm], now=end()).of(ERRORS) == Verdict.FAIL
    assert judge([replace(calm, minutes=wild)], now=end()).of(ERRORS) != Verdict.FAIL


def test_what_no_target_answered_counts_like_its_own_errors() -> None:
    """A crashing green shows no 5xx of its own: requests minus answers do."""
    own, unanswered = (judge([minutes(30, 54, own=own)], now=end()) for own in (True, False))
    assert errors_of(own) == errors_of(unanswered)


def test_minutes_that_are_not_closed_are_left_out() -> None:
    """The minute that is still running would show half of its errors."""
    whole = minutes(6, 54)
    found = errors_of(judge([replace(whole, until=end(-0.5))], now=end()))
    assert found.green.requests == 600 * (MINUTES - 1)


def test_metrics_become_minutes_by_role() -> None:
    """Seconds become milliseconds; groups that nobody asked for and empty minutes are left out."""
    point = Minute(START, "two", 100, 7, 5, 0.05, 0.1, None, 2, 0)
    found = closed_minutes(
        [point, replace(point, group="three"), replace(point, group="one", requests=None)], blue="one", green="two"
    )
    assert found == (ClosedMinute(START, "green", 100, 5, 2, ((50.0, 50.0), (95.0, 100.0))),)


@pytest.mark.parametrize(("slower", "verdict"), [(1.0, Verdict.OK), (1.25, Verdict.FAIL)])
def test_latency_is_read_from_percentiles(slower: float, verdict: Verdict) -> None:
    """Of closed minutes, against the p95 of the former version."""
    scenario = Scenario("latency", 0.01, 0.01)
    numbers = np.random.default_rng(13)
    quantiles = {"blue": (80.0, 142.3, 180.6), "green": (80 * slower, 142.3 * slower, 180.6 * slower)}
    found = [
        ClosedMinute(
            START + n * MINUTE,
            role,  # type: ignore[arg-type]
            count,
            0,
            0,
            tuple(zip((50.0, 95.0, 99.0), (ms * numbers.normal(1, 0.01) for ms in quantiles[role]), strict=True)),
        )
        for n in range(MINUTES)
        for role, count in (
            ("green", 60 * scenario.requests_per_second * SHARE),
            ("blue", 60 * scenario.requests_per_second * (1 - SHARE)),
        )
    ]
    assert judge([Observed(METRICS, end(), minutes=tuple(found), slow_ms=142.3)], now=end()).of(LATENCY) == verdict


def shift(rates: list[tuple[float, float]], *, requests: int = 3000) -> Observed:
    """A linear shift: green gets a part more in each minute, in which so many requests of green and of blue fail."""
    found = [
        ClosedMinute(START + n * MINUTE, "blue", requests, round(requests * rates[0][1]), 0) for n in range(-30, 0)
    ]
    for n, (green, blue) in enumerate(rates):
        to_green = requests * (n + 1) // (len(rates) + 1)
        for role, count, rate in (("green", to_green, green), ("blue", requests - to_green, blue)):
            found.append(ClosedMinute(START + n * MINUTE, role, count, round(count * rate), 0))  # type: ignore[arg-type]
    return Observed(METRICS, START + len(rates) * MINUTE, minutes=tuple(found))


def test_shares_are_told_as_the_evidence_compares_them() -> None:
    """A dependency fails while green has most of the traffic: of the sums green looks twice as bad, and is not."""
    seen = shift([(0.001, 0.001)] * 6 + [(0.12, 0.12)] * 3)
    found = errors_of(judge([seen], now=seen.until))
    assert found.green.bad / found.green.requests > 1.8 * found.blue.bad / found.blue.requests
    assert found.rise == pytest.approx(0, abs=0.001)
    assert found.ratio == pytest.approx(1, abs=0.02)
    assert found.ratio_low < 1 < found.ratio_high
    told = re.search(r"of blue: ([0-9.]+)% and ([0-9.]+)% at equal time", found.reason)
    assert told is not None
    assert float(told[1]) == pytest.approx(float(told[2]), abs=0.1)


def test_where_the_rates_stay_the_shares_are_those_of_the_sums() -> None:
    """Then every weighting says the same."""
    seen = shift([(0.04, 0.01)] * 9, requests=10_000)
    found = errors_of(judge([seen], now=seen.until))
    assert found.verdict == Verdict.FAIL
    assert found.reason.endswith("of blue: 4.00% and 1.00% at equal time")
    assert (found.ratio, found.rise) == (pytest.approx(4), pytest.approx(0.03))


def test_an_outage_while_blue_had_most_of_the_traffic_hides_no_worse_version() -> None:
    """Of the sums blue looks three times as bad for what both met early; at equal time green fails twice as often."""
    seen = shift([(0.2, 0.2)] * 2 + [(0.02, 0.01)] * 7, requests=10_000)
    found = errors_of(judge([seen], now=seen.until))
    assert found.green.bad / found.green.requests < 0.5 * found.blue.bad / found.blue.requests
    assert found.verdict == Verdict.FAIL
    assert found.rise_high > 0.005


@pytest.mark.parametrize("early", [0.01, 0.2])
def test_a_rise_that_would_be_harm_is_seldom_called_out_of_the_question(early: float) -> None:
    """Over a shift, with an outage of both at its begin or without: at most as often as the confidence allows."""
    numbers, harm, settings = np.random.default_rng(20), 0.01, Settings()
    wrong = 0
    for _ in range(40):
        seen = shift([(rate + harm, rate) for rate in [early] * 2 + [0.01] * 7], requests=2000)
        drawn = tuple(
            replace(minute, own_errors=numbers.poisson(minute.own_errors)) if minute.at >= START else minute
            for minute in seen.minutes
        )
        found = errors_of(judge([replace(seen, minutes=drawn)], now=seen.until))
        wrong += found.rise_high < harm
    assert wrong <= 40 * (1 - settings.confidence)
