"""The judge: bad versions fail, good ones do not, and both can be checked by the numbers that are told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from judge_made import COUNT, MINUTE, MINUTES, START, end, errors_of, minutes, requests

from runbook_lib.analysis import ERRORS, LATENCY, LOGS, METRICS, PROBES, Observed, Rows, Settings, Weight, judge
from runbook_lib.check import Verdict
from tests.benchmarks import ours
from tests.benchmarks.releases import SHARE, Scenario


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


def test_an_outage_of_both_before_the_shift_goes_on_hides_no_worse_version() -> None:
    """Blue met most of it: of the sums it looks worse than the green that now fails twice as often."""
    early, late = requests(8, green=0.2, blue=0.2, share=0.05), requests(9, green=0.02, blue=0.01, share=0.5)
    assert early.rows is not None
    assert late.rows is not None
    later = replace(late.rows, at=late.rows.at + 60 * MINUTES)
    both = Rows(*map(np.concatenate, zip(vars(early.rows).values(), vars(later).values(), strict=True)))
    weights = (Weight(START, 0.05), Weight(end(), 0.5))
    found = errors_of(judge([Observed(LOGS, end(MINUTES), rows=both, weights=weights)], now=end(MINUTES)))
    assert found.green.bad / found.green.requests < found.blue.bad / found.blue.requests
    assert found.verdict == Verdict.FAIL
    assert found.decided_at is not None
    assert found.decided_at > end()


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


def test_a_fail_is_not_taken_back() -> None:
    """Errors that stop after the evidence was there do not make it undone."""
    bad = requests(9, green=0.05, blue=0.01)
    assert bad.rows is not None
    first = judge([replace(bad, until=START + 3 * MINUTE)], now=START + 3 * MINUTE)
    calm = bad.rows.failed & ~((bad.rows.at > (START + 3 * MINUTE).timestamp()) & bad.rows.green)
    later = judge([replace(bad, rows=replace(bad.rows, failed=calm))], now=end())
    assert errors_of(first).decided_at == errors_of(later).decided_at
    assert later.of(ERRORS) == Verdict.FAIL


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


@pytest.mark.parametrize(
    ("winnings", "told"), [(1.04, "1.0"), (345.67, "345.7"), (23456.7, "23457"), (1e6, "10^6"), (1.7e150, "10^150")]
)
def test_winnings_are_told_in_a_few_digits(winnings: float, told: str) -> None:
    """However sure the judge is: nobody reads a hundred and fifty digits."""
    found = judge([requests(2, green=0.03, blue=0.01)], now=end())
    shown = replace(found, findings=(replace(errors_of(found), winnings=winnings),)).checks().answers[0]
    assert re.fullmatch(rf"winnings below 111; they are (over )?{re.escape(told)}", shown.wanted), shown.wanted


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
