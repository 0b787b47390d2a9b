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
from typing import Any

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, StatisticSet, merged

MINUTE, HOUR, DAY = 60, 3600, 86_400
# How old points may be that a period can show: (the period must be a multiple of it, seconds).
RETENTION = ((1, 3 * HOUR), (MINUTE, 15 * DAY), (5 * MINUTE, 63 * DAY), (HOUR, 455 * DAY))
# An hour is packed so long after its end: late points have come by then, and alarms look at newer ones.
SETTLED = 15 * MINUTE
LEVEL = 6  # of compression


@dataclass(frozen=True, slots=True)
class Part:
    """Samples of one minute (or second), from when on they can be read, and in what they are measured."""

    visible: float
    samples: Histogram
    unit: str = "None"


Point = tuple[int, Part]  # the start of its minute (or second), epoch seconds


@dataclass
class Points:
    """All points of one metric."""

    open: dict[int, list[Part]] = field(default_factory=dict)  # by the start of the minute (or second)
    packed: dict[int, bytes] = field(default_factory=dict)  # by the start of the hour
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
            yield from ((at, part) for at, part in unpacked(self.packed[hour], hour) if start <= at < end)
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
        known = unpacked(self.packed[hour], hour) if hour in self.packed else ()
        self.packed[hour] = packed(rolled_up((*known, *points), step), hour)

    def age(self, now: float) -> None:
        """Roll up what has become old, and forget what has become too old."""
        for hour in list(self.packed):
            old = now - hour - HOUR
            if old > RETENTION[-1][1]:
                del self.packed[hour]
            elif old > RETENTION[0][1]:
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


def packed(points: Sequence[Point], hour: int) -> bytes:
    """Points of an hour that can all be read, as bytes."""
    each = [part.samples for _, part in points]
    table = sorted({value for samples in each for value in samples.values})
    places = {value: place for place, value in enumerate(table)}
    counts = [count for samples in each for count in samples.counts]
    units = sorted({part.unit for _, part in points})
    content = (
        array("H", [at - hour for at, _ in points]),
        units,
        array("H", [units.index(part.unit) for _, part in points]),
        array("I", [len(samples.values) for samples in each]),
        array("d", table),
        array("I", [places[value] for samples in each for value in samples.values]),
        _column(counts),
        [[(one.number, one.total, one.low, one.high) for one in samples.sets] for samples in each],
    )
    return zlib.compress(pickle.dumps(content, 5), LEVEL)


def _column(counts: Sequence[float]) -> array[Any]:
    whole = all(0 <= count < 2**53 and count == int(count) for count in counts)
    return array("Q", [int(count) for count in counts]) if whole else array("d", counts)


def unpacked(content: bytes, hour: int) -> Iterator[Point]:
    """The points of a packed hour."""
    offsets, units, named, lengths, table, places, counts, sets = pickle.loads(zlib.decompress(content))
    begin = 0
    for offset, name, length, told in zip(offsets, named, lengths, sets, strict=True):
        end = begin + length
        values = tuple(table[place] for place in places[begin:end])
        samples = Histogram(values, tuple(counts[begin:end]), tuple(StatisticSet(*one) for one in told))
        yield hour + offset, Part(float("-inf"), samples, units[name])
        begin = end
