"""Samples of a metric: counts by value, so that sums are added and percentiles are exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatisticSet:
    """Samples of which only the sum, the number and the extremes were told: no percentile can be known."""

    number: float
    total: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often each value was measured, in ascending order of the values, and what was told in sets."""

    values: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    sets: tuple[StatisticSet, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[float, float]) -> Histogram:
        """A histogram of value -> count; empty counts are left out."""
        kept = sorted((value, count) for value, count in counts.items() if count)
        return cls(tuple(float(value) for value, _ in kept), tuple(count for _, count in kept))

    @classmethod
    def one(cls, value: float, count: float = 1) -> Histogram:
        """The same value measured so often."""
        return cls((float(value),), (count,)) if count else cls()

    @classmethod
    def told(cls, told: StatisticSet) -> Histogram:
        """A statistic set; with a single value in it nothing is lost (PutMetricData, percentiles of sets)."""
        if told.number == 1 or told.low == told.high:
            return cls.one(told.low, told.number)
        return cls(sets=(told,))

    def __bool__(self) -> bool:
        return bool(self.counts or self.sets)

    @property
    def number(self) -> float:
        """How many samples there are."""
        return math.fsum(self.counts) + math.fsum(one.number for one in self.sets)

    @property
    def total(self) -> float:
        own = (value * count for value, count in zip(self.values, self.counts, strict=True))
        return math.fsum(own) + math.fsum(one.total for one in self.sets)

    @property
    def low(self) -> float:
        return min([*self.values[:1], *(one.low for one in self.sets)])

    @property
    def high(self) -> float:
        return max([*self.values[-1:], *(one.high for one in self.sets)])

    def percentile(self, percent: float) -> float:
        """The percentile by linear interpolation between samples, as numpy's default."""
        rank = (self.number - 1) * percent / 100
        low, high = self._sample(math.floor(rank)), self._sample(math.ceil(rank))
        return low + (high - low) * (rank - math.floor(rank))

    def statistic(self, name: str) -> float | None:
        """A statistic by its CloudWatch name; None where the samples do not tell it."""
        from runbook_lib.sandbox.services.cloudwatch import statistics

        return statistics.of(self, name)

    def _sample(self, index: int) -> float:
        seen = 0.0
        for value, count in zip(self.values, self.counts, strict=True):
            seen += count
            if index < seen:
                return value
        return self.values[-1]


def merged(parts: Iterable[Histogram]) -> Histogram:
    """All samples of several histograms."""
    found = [part for part in parts if part]
    if len(found) == 1:
        return found[0]
    counts: dict[float, float] = {}
    for part in found:
        for value, count in zip(part.values, part.counts, strict=True):
            counts[value] = counts.get(value, 0.0) + count
    whole = Histogram.of(counts)
    return Histogram(whole.values, whole.counts, tuple(one for part in found for one in part.sets))
