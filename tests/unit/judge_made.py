"""Observations drawn for the judge: a quarter of an hour of requests or of minutes, with rates that a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from runbook_lib.analysis import ERRORS, LOGS, METRICS, ClosedMinute, Finding, Judgement, Observed, Rows, Weight

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
    """When the quarter of an hour is over, and so many minutes later."""
    return START + timedelta(minutes=MINUTES + more)


def errors_of(found: Judgement) -> Finding:
    """What was found about errors."""
    return next(finding for finding in found.findings if finding.question == ERRORS)
