"""The judge: bad versions fail, good ones do not, and no data is never a pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from runbook_lib.analysis import LOGS, METRICS, Observed, Rows, Weight, judge
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 15


def requests(
    seed: int,
    *,
    green: float,
    blue: float,
    rate: int = 100,
    slower: float = 1,
    clients: bool = True,
) -> Observed:
    """A quarter of an hour of requests with these error rates; each by a client of its own, or by nobody known."""
    share = 0.1
    numbers = np.random.default_rng(seed)
    count = rate * 60 * MINUTES
    at = START.timestamp() + np.sort(numbers.random(count)) * 60 * MINUTES
    to_green = numbers.random(count) < share
    failed = numbers.random(count) < np.where(to_green, green, blue)
    took = 80 * np.exp(0.35 * numbers.standard_normal(count)) * np.where(to_green, slower, 1)
    client = np.arange(count) if clients else np.full(count, -1)
    rows = Rows(at, to_green, client, failed, took)
    return Observed(LOGS, START + timedelta(minutes=MINUTES), rows=rows, weights=(Weight(START, share),))


def later(minutes: float = 1) -> datetime:
    return START + timedelta(minutes=MINUTES + minutes)


def test_a_version_like_the_former_one_passes() -> None:
    """With a statement of what is out of the question."""
    found = judge([requests(1, green=0.01, blue=0.01)], now=later())
    assert found.verdict == Verdict.OK
    assert "out of the question" in found.findings[0].reason


@pytest.mark.parametrize(("green", "slower", "question"), [(0.03, 1, "errors"), (0.01, 1.25, "latency")])
def test_a_worse_version_fails(green: float, slower: float, question: str) -> None:
    """By its errors or by its latency; the evidence and the time to act are told apart."""
    found = judge([requests(2, green=green, blue=0.01, slower=slower)], now=later()).deciding
    assert found is not None
    assert found.question == question
    assert found.decided_after is not None
    assert found.decided_after < 2000
    assert found.acts_at == found.decided_at + timedelta(seconds=LOGS.lag_seconds)  # type: ignore[operator]


def test_no_data_is_never_a_pass() -> None:
    """Neither is nothing at all."""
    assert judge([], now=later()).verdict == Verdict.INCONCLUSIVE
    assert judge([Observed(METRICS, later(0))], now=later()).verdict == Verdict.INCONCLUSIVE


def test_data_of_the_future_are_refused() -> None:
    """Clocks that differ would make minutes closed that are not."""
    with pytest.raises(BadInput, match="data until 00:15:00"):
        judge([requests(1, green=0, blue=0)], now=START)
