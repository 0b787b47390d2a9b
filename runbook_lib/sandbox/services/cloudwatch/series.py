"""Values of metric math: numbers, time series and several of these."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

Points = Mapping[float, float]


@dataclass(frozen=True)
class Series:
    """A time series: its points by the start of their period, in ascending order, and what it is called."""

    points: Points
    label: str = ""
    period: int = 60
    id: str = ""

    def with_points(self, points: Points) -> Series:
        """The same series with other points."""
        return replace(self, points=points)


NOTHING = math.nan  # a number that cannot be told: of no points, or divided by zero
Value = float | str | Series | list[Series]  # a text only where a function wants a word


def each(change: Callable[[Series], Value], several: list[Series]) -> list[Series]:
    """Every one of several series, changed."""
    return [changed for changed in map(change, several) if isinstance(changed, Series)]


def lined_up(left: Series | float, right: Series | float) -> Iterator[tuple[float, float, float]]:
    """The times at which either has a point, with both values there; a missing one is 0."""
    times = {at for value in (left, right) if isinstance(value, Series) for at in value.points}
    for at in sorted(times):
        yield at, value_at(left, at), value_at(right, at)


def value_at(value: Series | float, at: float) -> float:
    """The value there; 0 where a series has none."""
    return value.points.get(at, 0.0) if isinstance(value, Series) else value
