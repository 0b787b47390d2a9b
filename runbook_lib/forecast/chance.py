"""How surely and how soon the judge finds out a version that is worse: by calculation, not by simulation.

Errors of green arrive as a Poisson process; the judge stops when they reach the number that the winnings need at that
time. The probability of being stopped is carried forward over the times of looking, number by number: the first passage
of a counting process. How many errors blue has had by then is chance as well, and moves that number: its variance is
added to the one of green's errors, by counting them in units that scatter as much as both.
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

LOOKS = 240
NEGLIGIBLE = 1e-12
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
    least: int  # looks before which nothing is decided
    stepwise: bool

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
    """The chance of being found out by each look (minutes since the shift began).

    `stepwise` says that nobody looks in between: closed minutes.
    """

    looks: np.ndarray
    found: np.ndarray
    stepwise: bool

    def by(self, minute: float) -> float:
        """The chance of being found out by then."""
        if self.stepwise:
            passed = int(np.searchsorted(self.looks, minute, side="right"))
            return float(self.found[passed - 1]) if passed else 0.0
        return float(np.interp(minute, self.looks, self.found, left=0.0)) if len(self.looks) else 0.0

    def quantile(self, part: float) -> float | None:
        """The minute by which this part of all releases is found out; None when it never is so many."""
        if not len(self.looks) or self.found[-1] < part:
            return None
        reached = int(np.argmax(self.found >= part))
        before = self.found[reached - 1] if reached else 0.0
        start = self.looks[reached - 1] if reached else 0.0
        if self.stepwise or self.found[reached] <= before:
            return float(self.looks[reached])
        return float(start + (self.looks[reached] - start) * (part - before) / (self.found[reached] - before))


def watch(
    shift: Shift, requests_per_second: float, base: float, source: Source, question: Question, settings: Settings
) -> Watch:
    """How a source watches a question: after every error where requests are seen, else at the end of every minute."""
    compared = shift.compared_minutes
    starts = [start for start, _ in shift.steps[1:]]
    if source.bin_seconds:
        # The shift begins anywhere in a minute: in the middle of one, on average.
        grain = source.bin_seconds / 60
        looks = np.arange(0.5 * grain, compared + 1e-9, grain)
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
        stepwise=strict,
    )


def course(watched: Watch, rate: float) -> Course:
    """The chance of being found out by each look, when green's share of bad requests is `rate` (in witnesses)."""
    if not len(watched.looks) or not len(watched.shares):
        return Course(watched.looks, np.zeros(len(watched.looks)), watched.stepwise)
    lengths, shares = watched.lengths, watched.shares[:, None]
    green = watched.requests_per_second * rate * (shares * lengths).sum(axis=0)
    limit = _boundary(watched, 0.0)
    # When it is decided, on average: how much blue's errors matter differs from step to step.
    then = int(np.argmax(green >= limit)) if (green >= limit).any() else len(limit) - 1
    by_blue = (_boundary(watched, 1.0, then)[0] - _boundary(watched, -1.0, then)[0]) / 2
    unit = 1 + float(by_blue) ** 2 / max(float(green[then]), 1e-9)
    return Course(watched.looks, _first_passage(green / unit, np.round(limit / unit)), watched.stepwise)


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
    rate = mean_for(int(_boundary(watched, 0.0, last)[0]), chance) / mean
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


def _boundary(watched: Watch, fate: float, look: int | None = None) -> np.ndarray:
    """How many errors of green end the release at each look, or at one, with blue's errors off by some deviations."""
    lengths, shares = watched.lengths, watched.shares
    lengths = lengths if look is None else lengths[:, look : look + 1]
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
    low, high = np.zeros(lengths.shape[1]), np.full(lengths.shape[1], float(MOST))
    for _ in range(MOST.bit_length() - 1):
        middle = np.floor((low + high) / 2)
        enough = logsum(fixed + slope * middle) >= watched.log_wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    if look is None:
        # A minute brings its part at most: before the last of so many minutes nothing can be decided.
        high[: watched.least - 1] = MOST
    return high


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
    chances = np.exp(numbers * math.log(mean) - mean - log_factorials(last + 1)[first:])
    return first, chances / chances.sum()
