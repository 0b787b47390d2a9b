"""The points of a metric: the newest as they came, older ones packed by the hour, and rolled up as they age.

Source of the ages: CloudWatch API reference, GetMetricData (Period): points of less than a minute are kept for 3 hours,
of a minute for 15 days, of 5 minutes for 63 days, of an hour for 455 days. What is rolled up keeps every sample, so
that percentiles of the longer period stay exact.
"""

from __future__ import annotations

import pickle
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, StatisticSet, merged
from runbook_lib.sandbox.shelf import Laid

MINUTE, HOUR, DAY = 60, 3600, 86_400
# How old points may be that a period can show: (the period must be a multiple of it, seconds).
RETENTION = ((1, 3 * HOUR), (MINUTE, 15 * DAY), (5 * MINUTE, 63 * DAY), (HOUR, 455 * DAY))
# An hour is packed so long after its end: late points have come by then, and alarms look at newer ones.
SETTLED = 15 * MINUTE
LEVEL = 9  # of compression


@dataclass(frozen=True, slots=True)
class Part:
    """Samples of one minute (or second), from when on they can be read, and in what they are measured."""

    visible: float
    samples: Histogram
    unit: str = "None"


Point = tuple[int, Part]  # the start of its minute (or second), epoch seconds
Packed = tuple[int, Laid]  # how far apart its points are, seconds; and the points


@dataclass
class Points:
    """All points of one metric."""

    open: dict[int, list[Part]] = field(default_factory=dict)  # by the start of the minute (or second)
    packed: dict[int, Packed] = field(default_factory=dict)  # by the start of the hour
    units: list[str] = field(default_factory=list)  # that it was ever measured in
    last: float = float("-inf")  # the newest point among the packed ones

    def add(self, at: int, part: Part) -> None:
        """Add samples to a minute (or second)."""
        self.open.setdefault(at, []).append(part)
        if part.unit not in self.units:
            self.units.append(part.unit)

    def between(self, start: float, end: float) -> Iterator[Point]:
        """The points of a stretch of time, without its end."""
        for hour in self._hours(start, end):
            yield from ((at, part) for at, part in unpacked(self.packed[hour][1].read(), hour) if start <= at < end)
        for at, parts in self.open.items():
            if start <= at < end:
                yield from ((at, part) for part in parts)

    def _hours(self, start: float, end: float) -> list[int]:
        if end - start > HOUR * len(self.packed):
            return [hour for hour in self.packed if hour < end and hour + HOUR > start]
        return [hour for hour in range(int(start // HOUR) * HOUR, int(-(-end // 1)), HOUR) if hour in self.packed]

    def newest(self, now: float) -> float:
        """The time of the newest point that can be read; far in the past when there is none."""
        seen = (at for at, parts in self.open.items() if any(part.visible <= now for part in parts))
        return max(seen, default=self.last)

    def pack(self, now: float) -> None:
        """Pack the hours that are over and can be read whole."""
        hours: dict[int, list[Point]] = {}
        for at, parts in self.open.items():
            hours.setdefault(at // HOUR * HOUR, []).extend((at, part) for part in parts)
        for hour, points in hours.items():
            if hour + HOUR + SETTLED <= now and all(part.visible <= now for _, part in points):
                self._pack(hour, points, step=step_at(now - hour - HOUR))
                self.last = max(self.last, *(at for at, _ in points))
                for at, _ in points:
                    self.open.pop(at, None)

    def _pack(self, hour: int, points: Iterable[Point], *, step: int) -> None:
        known = unpacked(self.packed[hour][1].read(), hour) if hour in self.packed else ()
        kept = rolled_up((*known, *points), step)
        apart = next(step for step, _ in reversed(RETENTION) if all(at % step == 0 for at, _ in kept))
        self.packed[hour] = apart, Laid(packed(kept, hour))

    def age(self, now: float) -> None:
        """Roll up what has become old, and forget what has become too old."""
        for hour, (apart, _) in list(self.packed.items()):
            old = now - hour - HOUR
            if old > RETENTION[-1][1]:
                del self.packed[hour]
            elif apart < step_at(old):
                self._pack(hour, (), step=step_at(old))

    def __bool__(self) -> bool:
        return bool(self.open or self.packed)


def step_at(age: float) -> int:
    """How far apart points are kept of an hour that ended so many seconds ago."""
    return next((step for step, longest in RETENTION if age <= longest), HOUR)


def rolled_up(points: Iterable[Point], step: int) -> list[Point]:
    """The points by periods of so many seconds, in the order of their times; each unit by itself."""
    found: dict[tuple[int, str], list[Histogram]] = {}
    for at, part in points:
        found.setdefault((at // step * step, part.unit), []).append(part.samples)
    return [(at, Part(float("-inf"), merged(samples), unit)) for (at, unit), samples in sorted(found.items())]


# ---- the packed form: a table of the values that occur, and columns of small whole numbers

SIZES = (("B", 2**8), ("H", 2**16), ("I", 2**32), ("Q", 2**53))
TABLE = "d"


def packed(points: Sequence[Point], hour: int) -> bytes:
    """Points of an hour that can all be read, as bytes; the values of each point are in ascending order."""
    each = [part.samples for _, part in points]
    table = sorted({value for samples in each for value in samples.values})
    places = {value: place for place, value in enumerate(table)}
    units = sorted({part.unit for _, part in points})
    content = (
        _column([at - hour for at, _ in points]),
        units,
        _column([units.index(part.unit) for _, part in points]),
        _column([len(samples.values) for samples in each]),
        array(TABLE, table),
        _column([step for samples in each for step in _steps([places[value] for value in samples.values])]),
        _column([count for samples in each for count in samples.counts]),
        [[(one.number, one.total, one.low, one.high) for one in samples.sets] for samples in each],
    )
    return zlib.compress(pickle.dumps(content, 5), LEVEL)


def _steps(ascending: Sequence[int]) -> Iterator[int]:
    """The first number and the distances between neighbours: mostly ones."""
    return (number - before for before, number in zip((0, *ascending), ascending, strict=False))


def _column(numbers: Sequence[float]) -> array[Any]:
    """The numbers in as few bytes as hold them; only statistic sets and counts by users need not be whole."""
    if all(number >= 0 and number == int(number) for number in numbers):
        largest = max(numbers, default=0)
        size = next((size for size, end in SIZES if largest < end), None)
        if size is not None:
            return array(size, [int(number) for number in numbers])
    return array(TABLE, numbers)


def unpacked(content: bytes, hour: int) -> Iterator[Point]:
    """The points of a packed hour."""
    offsets, units, named, lengths, table, steps, counts, sets = pickle.loads(zlib.decompress(content))
    begin = 0
    for offset, name, length, told in zip(offsets, named, lengths, sets, strict=True):
        end = begin + length
        values = tuple(table[place] for place in accumulate(steps[begin:end]))
        samples = Histogram(values, tuple(counts[begin:end]), tuple(StatisticSet(*one) for one in told))
        yield hour + offset, Part(float("-inf"), samples, units[name])
        begin = end
