"""Statistics by their names: the plain ones, percentiles, and those of a part of the samples.

Source: CloudWatch user guide, Statistics-definitions: p99.9, tm90 or TM(10%:90%) (trimmed mean), wm (winsorized mean),
tc (trimmed count), ts (trimmed sum), PR(:300) (percentile rank), IQM. A sample on a percentage's bound counts in part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram

PLAIN: dict[str, Callable[[Histogram], float]] = {
    "Sum": lambda samples: samples.total,
    "Average": lambda samples: samples.total / samples.number,
    "Minimum": lambda samples: samples.low,
    "Maximum": lambda samples: samples.high,
    "SampleCount": lambda samples: samples.number,
}
SHORT = re.compile(r"(p|tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)")
NUMBER = r"\d+(?:\.\d+)?"
RANGE = re.compile(rf"(TM|WM|TC|TS|PR)\(({NUMBER}%?)?:({NUMBER}%?)?\)")
Weights = list[tuple[float, float]]  # value and how much of its samples counts


@dataclass(frozen=True)
class Asked:
    """A statistic of a part of the samples: between two percentages or two values, None where the end is open."""

    kind: str
    low: float | None
    high: float | None
    percent: bool


@lru_cache(maxsize=256)
def asked(name: str) -> Asked | None:
    """What an extended statistic asks for; None when it is none."""
    if name == "IQM":
        return Asked("TM", 25.0, 75.0, True)
    short, told = SHORT.fullmatch(name), RANGE.fullmatch(name)
    if short and float(short[2]) <= 100:
        return Asked(short[1].upper(), None, float(short[2]), True)
    if told is None or not (told[2] or told[3]):
        return None
    ends = [end for end in (told[2], told[3]) if end]
    percent = ends[0].endswith("%")
    if any(end.endswith("%") != percent for end in ends) or (percent and told[1] == "PR"):
        return None
    low, high = (float(end.rstrip("%")) if end else None for end in (told[2], told[3]))
    wrong = (low is not None and high is not None and low >= high) or (percent and max(low or 0, high or 0) > 100)
    return None if wrong else Asked(told[1], low, high, percent)


def known(name: str) -> bool:
    """Whether CloudWatch has such a statistic."""
    return name in PLAIN or asked(name) is not None


def of(samples: Histogram, name: str) -> float | None:
    """The value of a statistic; None where the samples do not tell it. Raises ValueError for an unknown name."""
    if name in PLAIN:
        return PLAIN[name](samples)
    wanted = asked(name)
    if wanted is None:
        raise ValueError(f"seen: the statistic {name!r}; wanted: one that CloudWatch has")
    if samples.sets:
        return None
    if wanted.kind == "P":
        return samples.percentile(wanted.high or 0.0)
    inside = list(_by_percent(samples, wanted) if wanted.percent else _by_value(samples, wanted))
    value = _PARTS[wanted.kind](samples, inside)
    return None if value is None else float(value)


def _by_percent(samples: Histogram, wanted: Asked) -> Iterator[tuple[float, float]]:
    begin = samples.number * (wanted.low or 0.0) / 100
    end = samples.number * (100.0 if wanted.high is None else wanted.high) / 100
    seen = 0.0
    for value, count in zip(samples.values, samples.counts, strict=True):
        inside = min(seen + count, end) - max(seen, begin)
        seen += count
        if inside > 0:
            yield value, inside


def _by_value(samples: Histogram, wanted: Asked) -> Iterator[tuple[float, float]]:
    """The lower end is outside, the upper one inside."""
    for value, count in zip(samples.values, samples.counts, strict=True):
        if (wanted.low is None or value > wanted.low) and (wanted.high is None or value <= wanted.high):
            yield value, count


def _count(samples: Histogram, inside: Weights) -> float:
    return sum(weight for _, weight in inside)


def _sum(samples: Histogram, inside: Weights) -> float:
    return sum(value * weight for value, weight in inside)


def _mean(samples: Histogram, inside: Weights) -> float | None:
    return _sum(samples, inside) / _count(samples, inside) if inside else None


def _winsorized(samples: Histogram, inside: Weights) -> float | None:
    """What lies outside counts as the nearest value inside."""
    if not inside:
        return None
    low, high = inside[0][0], inside[-1][0]
    below = sum(count for value, count in zip(samples.values, samples.counts, strict=True) if value <= low)
    between = sum(value * weight for value, weight in inside if low < value < high)
    within = sum(weight for value, weight in inside if low < value < high)
    above = samples.number - below - within
    return (low * below + between + high * above) / samples.number


def _rank(samples: Histogram, inside: Weights) -> float:
    return 100 * _count(samples, inside) / samples.number


_PARTS: dict[str, Callable[[Histogram, Weights], float | None]] = {
    "TM": _mean,
    "WM": _winsorized,
    "TC": _count,
    "TS": _sum,
    "PR": _rank,
}
