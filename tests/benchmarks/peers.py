"""What others do with the same traffic: their published rules, looked at once a minute.

Each rule answers with the minute at whose end it rolls back, counted from 0, or -1. Sources: Flagger 15bd6ad (failed
checks of a minute are counted up, rollback at the threshold), Argo Rollouts 9f8d111 (failureLimit 0: the first failed
measurement), Kayenta 39c1d8a (Mann-Whitney: High where the lower end of the confidence interval of the shift, 98
percent, is above a quarter of the estimated shift; canary against a baseline of the same size), CloudWatch alarms M of
N. A z-test that is looked at every minute is what is written by hand. The oracle knows both true rates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.releases import NORMAL, Releases

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]
KAYENTA_LEVEL, KAYENTA_TOLERANCE, KAYENTA_EVERY = 0.98, 0.25, 5


def flagger(value: np.ndarray, *, above: float, threshold: int) -> np.ndarray:
    """Minutes above a limit are counted and never forgotten; rollback when there are so many."""
    return first(np.cumsum(value > above, axis=1) >= threshold)


def argo(value: np.ndarray, *, above: float) -> np.ndarray:
    """The first minute above the limit."""
    return first(value > above)


def alarm(value: np.ndarray, *, above: float, breaching: int, evaluated: int) -> np.ndarray:
    """M of the last N minutes above a limit."""
    breaches = np.cumsum(value > above, axis=1)
    before = np.pad(breaches, ((0, 0), (evaluated, 0)))[:, : breaches.shape[1]]
    return first(breaches - before >= breaching)


def kayenta(canary: np.ndarray, baseline: np.ndarray, *, every: int = KAYENTA_EVERY, start: int = 0) -> np.ndarray:
    """Mann-Whitney over the minutes so far, every some minutes; normal approximation with continuity correction."""
    out = np.full(len(canary), -1)
    z = NORMAL.inv_cdf(1 - (1 - KAYENTA_LEVEL) / 2)
    for count in range(start or every, canary.shape[1] + 1, every):
        pairs = count * count
        needed = pairs / 2 + 0.5 + z * (pairs * (2 * count + 1) / 12) ** 0.5
        rank = int(np.ceil(needed))
        open_ = np.flatnonzero(out < 0)
        if rank > pairs or not len(open_):
            continue
        shifts = (canary[open_, :count, None] - baseline[open_, None, :count]).reshape(len(open_), pairs)
        shifts.partition([pairs - rank, pairs // 2], axis=1)
        lower, estimate = shifts[:, pairs - rank], np.abs(shifts[:, pairs // 2])
        out[open_[lower > KAYENTA_TOLERANCE * estimate]] = count - 1
    return out


def z_test(releases: Releases, *, alpha: float) -> np.ndarray:
    """Two proportions, one-sided, looked at every minute."""
    green, blue = np.cumsum(releases.green, axis=1), np.cumsum(releases.blue, axis=1)
    green_bad, blue_bad = np.cumsum(releases.green_bad, axis=1), np.cumsum(releases.blue_bad, axis=1)
    pooled = (green_bad + blue_bad) / (green + blue)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / green + 1 / blue), 1e-12))
    return first((green_bad / green - blue_bad / blue) / spread > NORMAL.inv_cdf(1 - alpha))


def oracle(releases: Releases, *, good: float, bad: float, alpha: float) -> np.ndarray:
    """Wald's test of the canary alone, with both true rates known, at every minute."""
    failed, requests = np.cumsum(releases.green_bad, axis=1), np.cumsum(releases.green, axis=1)
    likelihood = failed * np.log(bad / good) + (requests - failed) * np.log((1 - bad) / (1 - good))
    return first(likelihood >= -np.log(alpha))


def first(stops: np.ndarray) -> np.ndarray:
    """The first minute that stops each release, -1 for none."""
    return np.where(stops.any(axis=1), stops.argmax(axis=1), -1)
