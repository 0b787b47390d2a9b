"""How surely and how soon the judge finds out a version that is worse: by calculation, not by simulation.

Errors of green arrive as a Poisson process; the judge stops when they reach the number that the winnings need at that
time. The probability of being stopped is carried forward over the times of looking, number by number: the first passage
of a counting process. How many errors blue has had by then is chance as well: five of its fates are weighed
(Gauss and Hermite).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runbook_lib.analysis.evidence import Bets, bets, logsum, with_margin
from runbook_lib.analysis.observed import Source
from runbook_lib.analysis.power import log_factorials, mean_for
from runbook_lib.analysis.settings import Question, Settings
from runbook_lib.forecast.course import Shift

LOOKS = 160
NEGLIGIBLE = 1e-12
ROOTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
FATES = tuple(zip(ROOTS.tolist(), (WEIGHTS / WEIGHTS.sum()).tolist(), strict=True))
MOST = 1 << 20


@dataclass(frozen=True)
class Watch:
    """A question that a source is asked during a shift: when it looks (minutes), and what must be won."""

    shift: Shift
    requests_per_second: float
    base: float  # the share of bad requests today, in witnesses
    looks: np.ndarray
    mixture: Bets
    log_wanted: float
    margin: float
    least: int

    @property
    def lengths(self) -> np.ndarray:
        """Seconds that each look has seen of each step: one row a step, one column a look."""
        steps = self.shift.steps
        starts = np.array([start for start, _ in steps[:-1]])[:, None]
        ends = np.array([start for start, _ in steps[1:]])[:, None]
        return 60 * np.clip(np.minimum(self.looks, ends) - starts, 0, None)

    @property
    def shares(self) -> np.ndarray:
        """Green's share in each step at which both colours have traffic."""
        return np.array([share for _, share in self.shift.steps[:-1]])


@dataclass(frozen=True)
class Course:
    """The chance of being found out by each look (minutes since the shift began)."""

    looks: np.ndarray
    found: np.ndarray

    def by(self, minute: float) -> float:
        """The chance of being found out by then."""
        return float(np.interp(minute, self.looks, self.found, left=0.0)) if len(self.looks) else 0.0

    def quantile(self, part: float) -> float | None:
        """The minute by which this part of all releases is found out; None when it never is so many."""
        if not len(self.looks) or self.found[-1] < part:
            return None
        reached = int(np.argmax(self.found >= part))
        before = self.found[reached - 1] if reached else 0.0
        start = self.looks[reached - 1] if reached else 0.0
        if self.found[reached] <= before:
            return float(self.looks[reached])
        return float(start + (self.looks[reached] - start) * (part - before) / (self.found[reached] - before))


def watch(
    shift: Shift, requests_per_second: float, base: float, source: Source, question: Question, settings: Settings
) -> Watch:
    """How a source watches a question: after every error where requests are seen, else at the end of every minute."""
    compared = shift.compared_minutes
    starts = [start for start, _ in shift.steps[1:]]
    if source.bin_seconds:
        # The shift begins anywhere in a minute: in the middle of one, on average, and that minute is of no use.
        grain = source.bin_seconds / 60
        looks = np.arange(1.5 * grain, compared + 1e-9, grain)
    else:
        looks = np.unique(np.concatenate([compared * (np.arange(1, LOOKS + 1) / LOOKS) ** 2, starts]))
    strict = bool(source.bin_seconds)
    return Watch(
        shift=shift,
        requests_per_second=requests_per_second,
        base=base,
        looks=looks,
        mixture=bets(question.centre, question.spread),
        log_wanted=-math.log(question.strict_alpha if strict else question.alpha),
        margin=question.margin,
        least=settings.least_minutes if strict else 1,
    )


def course(watched: Watch, rate: float) -> Course:
    """The chance of being found out by each look, when green's share of bad requests is `rate` (in witnesses)."""
    if not len(watched.looks) or not len(watched.shares):
        return Course(watched.looks, np.zeros(len(watched.looks)))
    lengths, shares = watched.lengths, watched.shares[:, None]
    green = watched.requests_per_second * rate * (shares * lengths).sum(axis=0)
    found = np.zeros(len(watched.looks))
    for fate, weight in FATES:
        found += weight * _first_passage(green, _boundary(watched, fate))
    return Course(watched.looks, found)


def smallest(watched: Watch, chance: float, *, by: float) -> float | None:
    """The smallest rate of green that is found out with this chance by a minute; None when none below 1 is.

    A first value comes from the last look alone, which misses what was found out before and receded; then the whole
    course corrects it.
    """
    usable = np.flatnonzero(watched.looks <= by + 1e-9)
    if not len(usable) or not len(watched.shares):
        return None
    last = int(usable[-1])
    mean = watched.requests_per_second * float((watched.shares * watched.lengths[:, last]).sum())
    rate = mean_for(int(max(_boundary(watched, 0.0)[last], watched.least)), chance) / mean
    low, high = watched.base, rate
    if rate >= 1 and course(watched, 1.0).by(by) < chance:
        return None
    high = min(high, 1.0)
    while course(watched, high).by(by) < chance:
        low, high = high, min(1.0, 1.3 * high)
    for _ in range(5):
        middle = (low * high) ** 0.5 if low > 0 else high / 2
        low, high = (low, middle) if course(watched, middle).by(by) >= chance else (middle, high)
    return high


def _boundary(watched: Watch, fate: float) -> np.ndarray:
    """How many errors of green end the release at each look, with blue's errors at a fate (standard deviations)."""
    lengths, shares = watched.lengths, watched.shares
    blue = watched.requests_per_second * watched.base * (1 - shares)[:, None] * lengths
    whole = blue.sum(axis=0)
    blue = blue * np.maximum(0.0, 1 + fate / np.sqrt(np.maximum(whole, 1e-9)))
    null = with_margin(shares, watched.margin)
    expected = shares[:, None] * lengths
    parts = expected / np.maximum(expected.sum(axis=0), 1e-12)
    ratios = np.log(watched.mixture.ratios)[:, None]
    costs = np.log1p(null[:, None, None] * np.expm1(ratios))  # step, bet, 1
    fixed = np.log(watched.mixture.money)[:, None] - (blue[:, None, :] * costs).sum(axis=0)
    slope = ratios - (parts[:, None, :] * costs).sum(axis=0)
    low, high = np.zeros(len(watched.looks)), np.full(len(watched.looks), float(MOST))
    for _ in range(20):
        middle = np.floor((low + high) / 2)
        enough = logsum(fixed + slope * middle) >= watched.log_wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.maximum(high, watched.least)


def _first_passage(mean: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """The chance that a Poisson process of these means has reached the boundary, look by look."""
    alive, lowest, gone = np.ones(1), 0, 0.0
    out = np.empty(len(mean))
    for look, (step, limit) in enumerate(zip(np.diff(mean, prepend=0.0).tolist(), boundary.tolist(), strict=True)):
        first, chances = _poisson(step)
        alive, lowest = np.convolve(alive, chances), lowest + first
        stay = max(0, int(limit) - lowest)
        gone += float(alive[stay:].sum())
        alive = alive[:stay]
        out[look] = gone
        kept = np.flatnonzero(alive > NEGLIGIBLE)
        if not len(kept):
            out[look:] = gone
            break
        alive, lowest = alive[kept[0] : kept[-1] + 1], lowest + int(kept[0])
    return np.minimum(out, 1.0)


def _poisson(mean: float) -> tuple[int, np.ndarray]:
    """The first number that a Poisson number may well be, and the probabilities from there on."""
    if mean <= 0:
        return 0, np.ones(1)
    spread = 7 * math.sqrt(mean) + 10
    first, last = max(0, int(mean - spread)), int(mean + spread)
    numbers = np.arange(first, last + 1)
    factorials = _FACTORIALS[: last + 1] if last < len(_FACTORIALS) else log_factorials(last + 1)
    chances = np.exp(numbers * math.log(mean) - mean - factorials[first:])
    return first, chances / chances.sum()


_FACTORIALS = log_factorials(4096)
