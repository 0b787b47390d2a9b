"""What a comparison could have seen: the smallest rate of green that would have been found out."""

from __future__ import annotations

import math

import numpy as np

from runbook_lib.analysis.evidence import Bets, logsum, with_margin


def needed(
    blue: np.ndarray, share: np.ndarray, mixture: Bets, *, limit: float, margin: float = 1.0, most: int = 4096
) -> int | None:
    """How many witnesses green needs until the winnings reach exp(limit); None when `most` are not enough.

    `blue` are blue's witnesses in each step and `share` green's share of requests in it; green's witnesses are taken to
    come evenly with blue's expected ones, as they do when green is worse by the same ratio in every step.
    """
    share = with_margin(share, margin)
    odds = share / (1 - share)
    expected = (blue + 0.5) * odds
    parts = expected / expected.sum()
    ratios = np.log(mixture.ratios)[:, None]
    costs = np.log1p(share[:, None, None] * np.expm1(ratios))  # step, bet, 1
    fixed = np.log(mixture.money)[:, None] - (blue[:, None, None] * costs).sum(axis=0)
    slope = ratios - (parts[:, None, None] * costs).sum(axis=0)
    low, high = 0, most
    if float(logsum(fixed + slope * most)[0]) < limit:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(logsum(fixed + slope * middle)[0]) >= limit else (middle, high)
    return high


def mean_for(count: int, power: float) -> float:
    """The mean of a Poisson number that reaches `count` with this probability."""
    low, high = 0.0, 4.0 * count + 50
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if reaches(count, middle) >= power else (middle, high)
    return high


def reaches(count: int, mean: float) -> float:
    """The probability that a Poisson number of this mean is at least `count`."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    logs = np.arange(count) * math.log(mean) - mean - log_factorials(count)
    return float(max(0.0, 1 - np.exp(logs).sum()))


def log_factorials(count: int) -> np.ndarray:
    """log 0!, log 1!, ... of the first `count` numbers."""
    if count <= len(_FACTORIALS):
        return _FACTORIALS[:count]
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count)))])


_FACTORIALS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 8192)))])
