"""The evidence that green is worse: a bet on every error, which may be looked at after each of them.

At every error X is 1 when it came from green. If both versions fail equally often, X is 1 with probability w, the share
of requests that green gets, whatever the common error rate is and however it moves. A bet that green fails r times as
often pays r/(w*r+1-w) when X is 1 and 1/(w*r+1-w) when it is 0: one on average. So the winnings of a mixture of such
bets never reach 1/alpha with more than probability alpha, at whichever time somebody looks (Ville's inequality); when
they do, green is worse. Steps of the shift change w and multiply on. The idea is that of Lindon and Malek,
"Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022), with the null known and one-sided bets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

GRID = 32  # bets in the mixture: more do not change a decision
WIDTH = 2.5  # spreads on each side of the centre
CHUNK = 20_000
RATIOS = np.geomspace(1 / 200, 200, 1201)  # on which intervals are read off


@dataclass(frozen=True)
class Bets:
    """A mixture of bets: ratios green : blue, and the part of the money on each."""

    ratios: np.ndarray
    money: np.ndarray


@dataclass(frozen=True)
class Tally:
    """Errors in the order of their looks: how many came from green, how many in all, and green's share of requests.

    One row an error, or one a closed minute. `dispersion` says how many errors belong together (1: each is a witness of
    its own); evidence is counted in witnesses.
    """

    green: np.ndarray
    total: np.ndarray
    share: np.ndarray
    dispersion: float = 1.0

    def __len__(self) -> int:
        return len(self.total)


def bets(centre: float, spread: float) -> Bets:
    """A lognormal mixture around a ratio; bets that green is better are left out."""
    low = max(math.log(1.1), math.log(centre) - WIDTH * spread)
    logs = np.linspace(low, math.log(centre) + WIDTH * spread, GRID)
    money = np.exp(-0.5 * ((logs - math.log(centre)) / spread) ** 2)
    return Bets(np.exp(logs), money / money.sum())


def with_margin(share: np.ndarray, margin: float) -> np.ndarray:
    """The share of errors that green has when it fails `margin` times as often: what still is no difference."""
    return share * margin / (share * margin + 1 - share)


def running(tally: Tally, mixture: Bets, *, margin: float = 1.0) -> np.ndarray:
    """The logarithm of the winnings after each row of the tally."""
    out = np.empty(len(tally))
    ratios = np.log(mixture.ratios)[:, None]
    carried = np.log(mixture.money)[:, None]
    for start in range(0, len(tally), CHUNK):
        part = slice(start, start + CHUNK)
        share = with_margin(tally.share[part], margin)
        each = ratios * tally.green[part] - np.log1p(share * np.expm1(ratios)) * tally.total[part]
        sums = carried + np.cumsum(each, axis=1) / tally.dispersion
        out[part] = logsum(sums)
        carried = sums[:, -1:]
    return out


def capped(log_won: np.ndarray, most: float) -> np.ndarray:
    """The same winnings with at most so much gained at each look, and every loss: never more than was won.

    One closed minute full of errors may be one client: it cannot decide alone, nor can two.
    """
    return np.cumsum(np.minimum(np.diff(log_won, prepend=0.0), most))


def ratio_interval(tally: Tally, *, confidence: float, spread: float = 1.5) -> tuple[float, float]:
    """Ratios green : blue that the errors leave possible, at every look at once; (0, inf) while there is no error.

    A ratio is out when a two-sided mixture of bets against it has won 1/(1 - confidence).
    """
    if not len(tally):
        return 0.0, math.inf
    logs = np.log(RATIOS)
    shares, where = np.unique(tally.share, return_inverse=True)
    total = np.bincount(where, weights=tally.total, minlength=len(shares)) / tally.dispersion
    likelihood = logs * tally.green.sum() / tally.dispersion
    likelihood -= (np.log1p(shares[:, None] * np.expm1(logs)) * total[:, None]).sum(axis=0)
    prior = -0.5 * (logs / spread) ** 2
    against = logsum(likelihood + prior) - logsum(prior)
    inside = np.flatnonzero(against - likelihood < -math.log(1 - confidence))
    low, high = RATIOS[inside[0]], RATIOS[inside[-1]]
    return (0.0 if inside[0] == 0 else float(low)), (math.inf if inside[-1] == len(RATIOS) - 1 else float(high))


def logsum(values: np.ndarray) -> np.ndarray:
    """The logarithm of the sum of exponentials over the first axis."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))
