"""Simulated releases, many at once: what both colours got and what went wrong, by request and by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

SHARE = 0.1  # of the canary
MINUTES = 60  # that every rule looks on: 36,000 requests of the canary at 100 a second
CHUNK = 250  # releases at once
SIGMA = 0.35  # of the lognormal latency
P50 = 80.0  # ms
SLOW = 0.05  # of the requests are above today's p95
NORMAL = NormalDist()


@dataclass(frozen=True)
class Scenario:
    """A release: rates of bad requests of both colours, an outage of both, requests a second, errors of one client."""

    name: str
    blue: float
    green: float
    outage: float | None = None  # the rate of both in minutes 10 to 15
    requests_per_second: float = 100
    burst: float = 1

    def rates(self, colour: str) -> np.ndarray:
        """The rate of bad requests in each minute."""
        out = np.full(MINUTES, self.green if colour == "green" else self.blue)
        if self.outage is not None:
            out[10:15] = self.outage
        return out


@dataclass(frozen=True)
class Releases:
    """Some releases of a scenario: counts by minute, and the witnesses (first errors of a client) in their order.

    Counts have a row a release and a column a minute. Witnesses are padded with False and infinite times; `canary` is
    how many requests the canary had got when each was seen.
    """

    scenario: Scenario
    green: np.ndarray
    blue: np.ndarray
    green_bad: np.ndarray
    blue_bad: np.ndarray
    baseline: np.ndarray  # requests and bad ones of a third fleet, the former version in the canary's size
    baseline_bad: np.ndarray
    from_green: np.ndarray
    canary: np.ndarray

    @property
    def canary_by_minute(self) -> np.ndarray:
        """Requests of the canary by the end of each minute."""
        return np.cumsum(self.green, axis=1)


def simulate(scenario: Scenario, releases: int, seed: int, *, each: int = CHUNK) -> Iterator[Releases]:
    """Releases in chunks; the same seed gives the same ones."""
    numbers = np.random.default_rng(seed)
    for start in range(0, releases, each):
        yield _some(scenario, min(each, releases - start), numbers)


def slow_share(factor: float) -> float:
    """The share of requests above today's p95 once each takes `factor` times as long."""
    return 1 - NORMAL.cdf(NORMAL.inv_cdf(1 - SLOW) - float(np.log(factor)) / SIGMA)


def percentiles(
    numbers: np.random.Generator, requests: np.ndarray, factor: np.ndarray | float
) -> dict[float, np.ndarray]:
    """p50, p95 and p99 of lognormal latencies in minutes of so many requests, in ms: exact by order statistics."""
    count = np.maximum(requests, 1)
    out, low = {}, np.zeros(requests.shape)
    for percent in (50.0, 95.0, 99.0):
        rank = np.maximum(1, np.ceil(percent / 100 * count))
        before = 0 if not out else np.maximum(1, np.ceil(max(out) / 100 * count))
        # Order statistics of a uniform sample: each one, given the one before it, is a Beta of what is left.
        step = np.where(rank > before, numbers.beta(np.maximum(rank - before, 1e-9), count - rank + 1), 0.0)
        low = low + (1 - low) * step
        out[percent] = low
    quantile = np.vectorize(NORMAL.inv_cdf, otypes=[float])
    return {percent: P50 * factor * np.exp(SIGMA * quantile(np.clip(u, 1e-9, 1 - 1e-9))) for percent, u in out.items()}


def _some(scenario: Scenario, releases: int, numbers: np.random.Generator) -> Releases:
    shape = (releases, MINUTES)
    rate = 60 * scenario.requests_per_second
    bad_green, bad_blue = scenario.rates("green"), scenario.rates("blue")
    # Requests come as a Poisson process; so do the bad ones, and which colour each hits is a coin of its own.
    firsts = rate * (SHARE * bad_green + (1 - SHARE) * bad_blue) / scenario.burst
    witnesses = numbers.poisson(firsts, shape)
    is_green = numbers.random(int(witnesses.sum())) < np.repeat(
        np.tile(rate * SHARE * bad_green / scenario.burst / firsts, releases), witnesses.ravel()
    )
    block = np.repeat(np.arange(witnesses.size), witnesses.ravel())
    of_green = np.bincount(block, weights=is_green, minlength=witnesses.size).astype(int).reshape(shape)
    green_bad, blue_bad, baseline_bad = (
        _with_bursts(numbers, first, scenario.burst)
        for first in (of_green, witnesses - of_green, numbers.poisson(rate * SHARE * bad_blue / scenario.burst, shape))
    )
    green = green_bad + numbers.poisson(rate * SHARE * (1 - bad_green), shape)
    from_green, canary = _in_order(numbers, green, witnesses, is_green)
    return Releases(
        scenario=scenario,
        green=green,
        blue=blue_bad + numbers.poisson(rate * (1 - SHARE) * (1 - bad_blue), shape),
        green_bad=green_bad,
        blue_bad=blue_bad,
        baseline=baseline_bad + numbers.poisson(rate * SHARE * (1 - bad_blue), shape),
        baseline_bad=baseline_bad,
        from_green=from_green,
        canary=canary,
    )


def _with_bursts(numbers: np.random.Generator, firsts: np.ndarray, burst: float) -> np.ndarray:
    """Each first error with the further ones of its client: geometric lengths of this mean."""
    if burst == 1:
        return firsts
    more = numbers.negative_binomial(np.maximum(firsts, 1), 1 / burst)
    return firsts + np.where(firsts > 0, more, 0)


def _in_order(
    numbers: np.random.Generator, requests: np.ndarray, witnesses: np.ndarray, is_green: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The witnesses of each release as rows, and how many requests the canary had got at each: evenly at random."""
    each, counts = witnesses.ravel(), witnesses.sum(axis=1)
    # The times of a Poisson process in a minute are sums of exponential waits, divided by their sum.
    waits = numbers.exponential(size=len(is_green))
    passed = np.cumsum(waits)
    last = np.cumsum(each)
    sums = np.diff(np.concatenate([[0.0], passed])[last], prepend=0.0)
    before = np.concatenate([[0.0], passed])[last - each]
    within = (passed - np.repeat(before, each)) / np.repeat(sums + numbers.exponential(size=len(each)), each)
    so_far = (np.cumsum(requests, axis=1) - requests).ravel()
    release = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(len(is_green)) - np.repeat(np.cumsum(counts) - counts, counts)
    from_green = np.zeros((len(counts), int(counts.max(initial=1))), dtype=bool)
    canary = np.full(from_green.shape, np.inf)
    from_green[release, column] = is_green
    canary[release, column] = np.repeat(so_far, each) + within * np.repeat(requests.ravel(), each)
    return from_green, canary
