"""The judge on simulated releases: after every error by its boundary, and on closed minutes by asking it itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from runbook_lib.analysis import (
    ERRORS,
    METRICS,
    PROBES,
    ClosedMinute,
    Finding,
    Judgement,
    Observed,
    Rows,
    Settings,
    Weight,
    judge,
)
from runbook_lib.analysis.evidence import Bets, bets, logsum, with_margin
from runbook_lib.analysis.settings import Question
from runbook_lib.check import Verdict
from tests.benchmarks.releases import MINUTES, NORMAL, P50, SHARE, SIGMA, SLOW, Releases, Scenario, percentiles

START = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = 60  # minutes of blue alone before the release, read with the same call
MINUTE = timedelta(minutes=1)
SLOW_MS = P50 * math.exp(SIGMA * NORMAL.inv_cdf(1 - SLOW))


def boundary(question: Question, mixture: Bets, share: float, most: int) -> np.ndarray:
    """How many of the first 1, 2, ... witnesses must come from green for the winnings to be enough."""
    ratios = np.log(mixture.ratios)[:, None]
    null = with_margin(np.array([share]), question.margin)
    total = np.arange(1, most + 1)
    fixed = np.log(mixture.money)[:, None] - np.log1p(null * np.expm1(ratios)) * total
    low, high = np.zeros(most), total + 1.0
    for _ in range(math.ceil(math.log2(most + 2))):
        middle = np.floor((low + high) / 2)
        enough = logsum(fixed + ratios * middle) >= -math.log(question.alpha)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def after_every_error(releases: Releases, question: Question, mixture: Bets | None = None) -> np.ndarray:
    """Requests of the canary when the judge says FAIL, looked at after every witness; inf where it never does."""
    mixture = mixture or bets(question.centre, question.spread)
    limit = boundary(question, mixture, SHARE, releases.from_green.shape[1])
    seen = np.isfinite(releases.canary)
    stops = (np.cumsum(releases.from_green, axis=1) >= limit) & seen
    found = stops.any(axis=1)
    return np.where(found, releases.canary[np.arange(len(found)), stops.argmax(axis=1)], np.inf)


def by_minutes(releases: Releases, seed: int, *, factor: float = 1.0, outage: float = 1.0) -> np.ndarray:
    """Requests of the canary when the judge of closed minutes without clients says FAIL, by errors or by latency.

    Green takes `factor` times as long, both take `outage` times as long in minutes 10 to 15.
    """
    numbers = np.random.default_rng(seed)
    whole = np.ones(MINUTES)
    whole[10:15] = outage
    green = percentiles(numbers, releases.green, factor * whole)
    blue = percentiles(numbers, releases.blue, whole)
    scenario = releases.scenario
    out = np.full(len(releases.green), np.inf)
    for release in range(len(out)):
        before = numbers.poisson(60 * (1 - SHARE) * scenario.requests_per_second, HISTORY)
        firsts = numbers.binomial(before, scenario.blue / scenario.burst)
        bad = firsts if scenario.burst == 1 else firsts + _more(numbers, firsts, scenario.burst)
        minutes = [
            *_minutes("blue", -HISTORY, before, bad, {}, release),
            *_minutes("blue", 0, releases.blue[release], releases.blue_bad[release], blue, release),
            *_minutes("green", 0, releases.green[release], releases.green_bad[release], green, release),
        ]
        after = _decided(judgement(minutes))
        out[release] = np.inf if after is None else after
    return out


def verdicts(scenario: Scenario, releases: int, minutes: int, seed: int) -> dict[Verdict, float]:
    """What the judge says of the errors after some minutes, as shares of the releases: it is asked itself."""
    numbers = np.random.default_rng(seed)
    found = Counter(_verdict(request_rows(scenario, minutes, numbers), minutes) for _ in range(releases))
    return {verdict: found[verdict] / releases for verdict in Verdict}


def request_rows(scenario: Scenario, minutes: int, numbers: np.random.Generator) -> Rows:
    """One release request by request, every client asking once."""
    count = int(numbers.poisson(60 * minutes * scenario.requests_per_second))
    green = numbers.random(count) < SHARE
    failed = numbers.random(count) < np.where(green, scenario.green, scenario.blue)
    at = START.timestamp() + np.sort(numbers.uniform(0, 60 * minutes, count))
    return Rows(at, green, np.arange(count), failed, np.full(count, np.nan))


def _verdict(rows: Rows, minutes: int) -> Verdict:
    end = START + minutes * MINUTE
    return judge([Observed(PROBES, end, rows=rows, weights=(Weight(START, SHARE),))], now=end).of(ERRORS)


def judgement(minutes: Sequence[ClosedMinute]) -> Judgement:
    """What the judge says of closed minutes at the end of the hour."""
    end = START + MINUTES * MINUTE
    observed = Observed(METRICS, end, minutes=tuple(minutes), slow_ms=SLOW_MS)
    return judge([observed], now=end, settings=Settings())


def _decided(found: Judgement) -> int | None:
    deciding: Finding | None = found.deciding
    return None if deciding is None else deciding.decided_after


def _more(numbers: np.random.Generator, firsts: np.ndarray, burst: float) -> np.ndarray:
    return np.where(firsts > 0, numbers.negative_binomial(np.maximum(firsts, 1), 1 / burst), 0)


def _minutes(
    role: str, first: int, requests: np.ndarray, bad: np.ndarray, times: dict[float, np.ndarray], release: int
) -> list[ClosedMinute]:
    return [
        ClosedMinute(
            at=START + (first + number) * MINUTE,
            role=role,  # type: ignore[arg-type]
            requests=count,
            own_errors=failed,
            unanswered=0.0,
            percentiles=tuple((percent, float(values[release, number])) for percent, values in times.items()),
        )
        for number, (count, failed) in enumerate(zip(requests.tolist(), bad.tolist(), strict=True))
    ]
