"""The judge: bad versions fail, good ones do not, no data is never a pass, and a burst is one witness."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.analysis import (
    ERRORS,
    LATENCY,
    LOGS,
    METRICS,
    PROBES,
    ClosedMinute,
    Event,
    Finding,
    Judgement,
    Observed,
    Question,
    Rows,
    Settings,
    Weight,
    closed_minutes,
    judge,
    rows,
)
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.metric import Minute
from tests.benchmarks import ours
from tests.benchmarks.releases import SHARE, Scenario

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 15
MINUTE = timedelta(minutes=1)
COUNT = 90_000  # requests in a quarter of an hour, 100 a second


def requests(
    seed: int, *, green: float, blue: float, slower: float = 1, clients: bool = True, share: float = 0.1
) -> Observed:
    """A quarter of an hour of requests with these error rates; each by a client of its own, or by nobody known."""
    numbers = np.random.default_rng(seed)
    at = START.timestamp() + np.sort(numbers.random(COUNT)) * 60 * MINUTES
    to_green = numbers.random(COUNT) < share
    failed = numbers.random(COUNT) < np.where(to_green, green, blue)
    took = 80 * np.exp(0.35 * numbers.standard_normal(COUNT)) * np.where(to_green, slower, 1)
    client = np.arange(COUNT) if clients else np.full(COUNT, -1)
    return Observed(LOGS, end(), rows=Rows(at, to_green, client, failed, took), weights=(Weight(START, share),))


def minutes(green: float, blue: float, *, own: bool = True, history: int = 30) -> Observed:
    """Closed minutes with these numbers of failed requests in 600 of green and 5,400 of blue."""
    found = [ClosedMinute(START + n * MINUTE, "blue", 5400, blue, 0) for n in range(-history, MINUTES)]
    for n in range(MINUTES):
        found.append(ClosedMinute(START + n * MINUTE, "green", 600, green if own else 0, 0 if own else green))
    return Observed(METRICS, end(), minutes=tuple(found))


def end(more: float = 0) -> datetime:
    return START + timedelta(minutes=MINUTES + more)


def errors_of(found: Judgement) -> Finding:
    return next(finding for finding in found.findings if finding.question == ERRORS)


def test_a_version_like_the_former_one_passes() -> None:
    """With a statement of what is out of the question."""
    found = judge([requests(1, green=0.01, blue=0.01)], now=end())
    assert found.verdict == Verdict.OK
    assert "out of the question" in errors_of(found).reason


@pytest.mark.parametrize(("green", "slower", "question"), [(0.03, 1, ERRORS), (0.01, 1.25, LATENCY)])
def test_a_worse_version_fails(green: float, slower: float, question: str) -> None:
    """By its errors or by its latency; the evidence that it takes and the time to act are told apart."""
    found = judge([requests(2, green=green, blue=0.01, slower=slower)], now=end())
    deciding = found.deciding
    assert found.verdict == Verdict.FAIL
    assert deciding is not None
    assert deciding.question == question
    assert deciding.decided_after is not None
    assert deciding.decided_after < 2000
    assert deciding.acts_at == deciding.decided_at + timedelta(seconds=LOGS.lag_seconds)  # type: ignore[operator]


def test_errors_of_both_are_not_blamed_on_green() -> None:
    """A dependency that is down fails as many requests of either."""
    assert judge([requests(3, green=0.3, blue=0.3)], now=end()).of(ERRORS) != Verdict.FAIL


def test_a_better_version_does_not_fail() -> None:
    """The question is whether green is worse."""
    assert judge([requests(4, green=0.01, blue=0.05)], now=end()).of(ERRORS) == Verdict.OK


def test_roles_decide_and_not_the_order_of_target_groups() -> None:
    """The same requests with swapped roles acquit what they convicted."""
    bad = requests(5, green=0.05, blue=0.01, share=0.5)
    assert bad.rows is not None
    swapped = replace(bad, rows=replace(bad.rows, green=~bad.rows.green))
    assert judge([bad], now=end()).of(ERRORS) == Verdict.FAIL
    assert judge([swapped], now=end()).of(ERRORS) == Verdict.OK


def test_the_finding_tells_effect_interval_sizes_and_what_could_have_been_seen() -> None:
    """All numbers that a person needs to agree or not."""
    found = errors_of(judge([requests(6, green=0.02, blue=0.01)], now=end()))
    assert found.green.requests + found.blue.requests == COUNT
    assert found.ratio_low < 2 < found.ratio_high
    assert found.rise == pytest.approx(0.01, abs=0.004)
    assert found.rise is not None
    assert found.rise < found.rise_high < 0.03
    assert found.smallest == pytest.approx(0.016, abs=0.002)


def test_what_could_have_been_seen_is_seen_as_often_as_was_said() -> None:
    """Releases with the smallest rate that is claimed to be found out, in four of five."""
    claimed = errors_of(judge([requests(7, green=0.01, blue=0.01)], now=end())).smallest
    assert claimed is not None
    found = [judge([requests(100 + n, green=claimed, blue=0.01)], now=end()).of(ERRORS) for n in range(30)]
    assert 18 <= found.count(Verdict.FAIL) <= 29


def test_no_data_is_never_a_pass() -> None:
    """Neither is nothing at all."""
    assert judge([], now=end()).verdict == Verdict.INCONCLUSIVE
    found = judge([Observed(METRICS, end()), Observed(LOGS, end(), rows=rows(()))], now=end())
    assert {finding.verdict for finding in found.findings} == {Verdict.INCONCLUSIVE}
    assert found.deciding is None


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.integers(0, 400), st.sampled_from(["green", "blue"]))
def test_little_traffic_on_either_colour_is_never_a_pass(few: int, many: int, scarce: str) -> None:
    """Below the minimum nothing is said, whatever the other colour shows."""
    counts = {"green": few, "blue": many} if scarce == "green" else {"green": many, "blue": few}
    events = [
        Event(START + timedelta(seconds=800 * n / max(1, count)), role, f"{role}{n}", 200, 50.0)  # type: ignore[arg-type]
        for role, count in counts.items()
        for n in range(count)
    ]
    found = judge([Observed(PROBES, end(), rows=rows(events))], now=end())
    assert all(finding.verdict == Verdict.INCONCLUSIVE for finding in found.findings)


def test_old_data_are_never_a_pass() -> None:
    """Metrics that stopped coming are no proof of health."""
    fresh = minutes(6, 54)
    assert errors_of(judge([fresh], now=end(4))).verdict == Verdict.OK
    found = errors_of(judge([fresh], now=end(10)))
    assert found.verdict == Verdict.INCONCLUSIVE
    assert found.reason == "the data end 10 minutes ago"


def test_data_of_the_future_are_refused() -> None:
    """Clocks that differ would make minutes closed that are not."""
    with pytest.raises(BadInput, match="data until 00:15:00"):
        judge([requests(1, green=0, blue=0)], now=START)


def test_without_the_other_colour_there_is_nothing_to_compare() -> None:
    """All at once: green has every request, and however bad it is, blue is not there."""
    found = judge([requests(8, green=0.5, blue=0.01, share=1.0)], now=end())
    assert errors_of(found).verdict == Verdict.INCONCLUSIVE
    assert "0 requests of green and 0 of blue at equal time" in errors_of(found).reason


def test_a_fail_is_not_taken_back() -> None:
    """Errors that stop after the evidence was there do not make it undone."""
    bad = requests(9, green=0.05, blue=0.01)
    assert bad.rows is not None
    first = judge([replace(bad, until=START + 3 * MINUTE)], now=START + 3 * MINUTE)
    calm = bad.rows.failed & ~((bad.rows.at > (START + 3 * MINUTE).timestamp()) & bad.rows.green)
    later = judge([replace(bad, rows=replace(bad.rows, failed=calm))], now=end())
    assert errors_of(first).decided_at == errors_of(later).decided_at
    assert later.of(ERRORS) == Verdict.FAIL


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.integers(2, 30))
def test_a_client_that_tries_again_is_one_witness(seed: int, times: int) -> None:
    """Its further errors within the window change nothing of the evidence."""
    once = requests(seed, green=0.01, blue=0.01).rows
    assert once is not None
    first = int(np.flatnonzero(once.failed & once.green)[0])
    again = np.full(times, first)
    at = np.concatenate([once.at, once.at[again] + np.arange(1, times + 1) * 0.5])
    order = np.argsort(at, kind="stable")
    more = Rows(
        *(
            np.concatenate([column, column[again]])[order] if column is not once.at else at[order]
            for column in (once.at, once.green, once.client, once.failed, once.latency_ms)
        )
    )
    found = [errors_of(judge([_observed(some)], now=end(60))) for some in (once, more)]
    assert found[0].winnings == pytest.approx(found[1].winnings)
    assert found[1].green.bad == found[0].green.bad + times
    assert found[1].green.counted == found[0].green.counted


def _observed(found: Rows) -> Observed:
    return Observed(LOGS, end(60), rows=found, weights=(Weight(START, 0.1),))


def test_a_broken_client_is_no_broken_version() -> None:
    """One client that fails a hundred times a second on green, in bursts, does not convict it."""
    calm = requests(10, green=0.01, blue=0.01).rows
    assert calm is not None
    at = START.timestamp() + 400 + np.arange(500) / 100
    order = np.argsort(np.concatenate([calm.at, at]), kind="stable")
    extra = (at, np.ones(500, bool), np.full(500, COUNT), np.ones(500, bool), np.full(500, 80.0))
    columns = (calm.at, calm.green, calm.client, calm.failed, calm.latency_ms)
    both = Rows(*(np.concatenate(pair)[order] for pair in zip(columns, extra, strict=True)))
    assert judge([replace(_observed(both), until=end())], now=end()).of(ERRORS) != Verdict.FAIL


def test_unknown_clients_take_the_stricter_limit() -> None:
    """And errors from at least three minutes."""
    known, unknown = (
        errors_of(judge([requests(11, green=0.03, blue=0.01, clients=clients)], now=end())) for clients in (True, False)
    )
    assert unknown.wanted == pytest.approx(10 * known.wanted)
    assert known.decided_after is not None
    assert unknown.decided_after is not None
    assert known.decided_after < unknown.decided_after
    assert unknown.decided_after > 1700
    assert "clients are not known" in unknown.notes[0]


def test_a_proxy_in_front_hides_the_clients() -> None:
    """Forty addresses with all the traffic are proxies: counted once each, they would hide every error."""
    found = requests(12, green=0.05, blue=0.01)
    assert found.rows is not None
    proxied = replace(found, rows=replace(found.rows, client=found.rows.client % 40))
    assert "too few to tell them apart" in errors_of(judge([proxied], now=end())).notes[0]
    assert judge([proxied], now=end()).of(ERRORS) == Verdict.FAIL


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


def test_sticky_clients_change_the_share_that_is_believed() -> None:
    """Green gets a third of what its weight says: its errors are compared with what it really got."""
    found = requests(14, green=0.01, blue=0.01, share=0.1)
    told = replace(found, weights=(Weight(START, 0.3),))
    note = errors_of(judge([told], now=end())).notes[0]
    assert "while its weight was 30.0%" in note
    assert errors_of(judge([told], now=end())).ratio_low < 1 < errors_of(judge([told], now=end())).ratio_high


def test_several_sources_share_the_chance_of_a_false_alarm() -> None:
    """Two sources must each win twice as much; the surest one answers the question."""
    alone = judge([requests(15, green=0.01, blue=0.01)], now=end())
    both = judge([requests(15, green=0.01, blue=0.01), minutes(6, 54)], now=end())
    assert errors_of(both).wanted == pytest.approx(2 * errors_of(alone).wanted)
    assert both.of(ERRORS) == Verdict.OK


def test_findings_are_answers_for_a_gate() -> None:
    """Both numbers and a remedy; an answer that is missing keeps the gate closed."""
    found = judge([requests(2, green=0.03, blue=0.01)], now=end()).checks()
    assert found.verdict == Verdict.FAIL
    assert found.bad[0].remedy == "stop the deployment with rollback"
    assert "winnings below 111" in found.bad[0].wanted
    assert judge([Observed(METRICS, end())], now=end()).checks().bad


@pytest.mark.parametrize("seed", range(6))
def test_the_boundary_of_the_benchmark_is_the_judge(seed: int) -> None:
    """What stands for the judge in thousands of simulated releases decides at the very same request."""
    scenario, settings = Scenario("1 -> 4 %", 0.01, 0.04), Settings()
    found = ours.request_rows(scenario, MINUTES, np.random.default_rng(seed))
    bad = np.flatnonzero(found.failed)
    limit = ours.boundary(settings.errors, ours.bets(3.5, 0.6), SHARE, len(bad))
    first = bad[np.argmax(np.cumsum(found.green[bad]) >= limit)]
    asked = judge([Observed(PROBES, end(), rows=found, weights=(Weight(START, SHARE),))], now=end())
    assert errors_of(asked).decided_after == found.green[: first + 1].sum()


@pytest.mark.parametrize(
    ("winnings", "told"), [(1.04, "1.0"), (345.67, "345.7"), (23456.7, "23457"), (1e6, "10^6"), (1.7e150, "10^150")]
)
def test_winnings_are_told_in_a_few_digits(winnings: float, told: str) -> None:
    """However sure the judge is: nobody reads a hundred and fifty digits."""
    found = judge([requests(2, green=0.03, blue=0.01)], now=end())
    shown = replace(found, findings=(replace(errors_of(found), winnings=winnings),)).checks().answers[0]
    assert re.fullmatch(rf"winnings below 111; they are (over )?{re.escape(told)}", shown.wanted), shown.wanted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"client_window_seconds": 0}, "client_window_seconds: seen: 0"),
        ({"least_requests": 0}, "no data is never a pass"),
        ({"power": 1.0}, "power: seen: 1"),
        ({"errors": {"alpha": 0}}, "alpha: seen: 0"),
        ({"errors": {"centre": 1}}, "a bad version is worse"),
        ({"errors": {"harm": 0}}, "harm: seen: 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object], told: str) -> None:
    """With what was seen and what is wanted."""
    good = Settings()
    with pytest.raises(BadInput, match=told):
        _changed(good, change)


def _changed(good: Settings, change: dict[str, object]) -> Settings:
    asked: dict[str, object] = {
        name: Question(**{**vars(getattr(good, name)), **value}) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    return replace(good, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Weight(START, 1.5), "a share between 0 and 1"),
        (lambda: rows([Event(START, "purple", None, 200, 1.0)]), "role purple"),  # type: ignore[arg-type]
        (lambda: Rows(*map(np.array, ([2.0, 1.0], [True] * 2, [1, 2], [False] * 2, [1.0] * 2))), "times that go back"),
        (lambda: replace(minutes(1, 1), rows=rows(())), "rows and minutes of one source"),
    ],
)  # fmt: skip
def test_observations_that_make_no_sense_are_refused(build: object, told: str) -> None:
    """Before anything is judged."""
    with pytest.raises(BadInput, match=told):
        build()  # type: ignore[operator]
