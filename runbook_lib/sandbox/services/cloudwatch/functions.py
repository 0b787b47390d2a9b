"""The functions of metric math.

Source: CloudWatch user guide, using-metric-math, "Functions supported for metric math". Those that need what a sandbox
does not have (SEARCH, ANOMALY_DETECTION_BAND, LAMBDA ...) are refused by name, and so is STDDEV, of which AWS does not
say whether it is that of a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from runbook_lib.sandbox.services.cloudwatch.series import NOTHING, Series, Value, each, value_at


class Unfit(Exception):
    """Why a function or sign cannot be applied to what it was given."""


@dataclass(frozen=True)
class Given:
    """What an expression can speak of: series by Id, those that are metrics, and the times that can be filled."""

    known: Mapping[str, list[Series]]
    metrics: tuple[str, ...]
    grid: tuple[float, ...]
    period: int = 60


def apply(name: str, arguments: list[Value], given: Given) -> Value:
    """The value of a function; raises Unfit for one that is not known or not made for these arguments."""
    if name not in FUNCTIONS:
        raise Unfit(f"the function {name} is not simulated")
    low, high, run = FUNCTIONS[name]
    if not low <= len(arguments) <= high:
        raise Unfit(f"{name} takes {low}{f' to {high}' if high > low else ''} arguments, not {len(arguments)}")
    return run(name, arguments, given)


def _series(name: str, value: Value) -> Series | list[Series]:
    if isinstance(value, Series | list):
        return value
    raise Unfit(f"{name} needs a series, not {value!r}")


def _number(name: str, value: Value) -> float:
    if isinstance(value, float):
        return value
    raise Unfit(f"{name} needs a number there")


# ---- one value for one point


def _pointwise(name: str, arguments: list[Value], given: Given) -> Value:
    change, value = POINTWISE[name], arguments[0]
    if isinstance(value, float):
        found = _mapped(Series({0.0: value}), change).points
        return found[0.0] if found else NOTHING
    several = _series(name, value)
    return each(lambda one: _mapped(one, change), several) if isinstance(several, list) else _mapped(several, change)


def _mapped(series: Series, change: Callable[[float], float]) -> Series:
    found = {}
    for at, value in series.points.items():
        try:
            found[at] = change(value)
        except ValueError:  # the logarithm of what has none: the point is dropped
            continue
    return series.with_points(found)


POINTWISE: Mapping[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}

# ---- the time of each point


def _timewise(name: str, arguments: list[Value], given: Given) -> Value:
    several, tell = _series(name, arguments[0]), TIMEWISE[name]

    def told(one: Series) -> Series:
        return one.with_points({at: float(tell(datetime.fromtimestamp(at, UTC))) for at in one.points})

    return each(told, several) if isinstance(several, list) else told(several)


TIMEWISE: Mapping[str, Callable[[datetime], float]] = {
    "MINUTE": lambda moment: moment.minute,
    "HOUR": lambda moment: moment.hour,
    "DAY": lambda moment: moment.isoweekday(),
    "DATE": lambda moment: moment.day,
    "MONTH": lambda moment: moment.month,
    "YEAR": lambda moment: moment.year,
    "EPOCH": lambda moment: moment.timestamp(),
}

# ---- each point and the one before it


def _stepwise(name: str, arguments: list[Value], given: Given) -> Value:
    several, change = _series(name, arguments[0]), STEPWISE[name]

    def changed(one: Series) -> Series:
        points = list(one.points.items())
        pairs = pairwise(points)
        return one.with_points({at: change(value - before, at - then) for (then, before), (at, value) in pairs})

    return each(changed, several) if isinstance(several, list) else changed(several)


STEPWISE: Mapping[str, Callable[[float, float], float]] = {
    "DIFF": lambda difference, seconds: difference,
    "DIFF_TIME": lambda difference, seconds: seconds,
    "RATE": lambda difference, seconds: difference / seconds,
}


def _running_sum(name: str, arguments: list[Value], given: Given) -> Value:
    def added(one: Series) -> Series:
        total, found = 0.0, {}
        for at, value in one.points.items():
            total += value
            found[at] = total
        return one.with_points(found)

    several = _series(name, arguments[0])
    return each(added, several) if isinstance(several, list) else added(several)


# ---- one series becomes a number, several become one series


def _folded(name: str, arguments: list[Value], given: Given) -> Value:
    several, fold = _series(name, arguments[0]), FOLDS[name]
    if isinstance(several, Series):
        values = list(several.points.values())
        return float(fold(values)) if values or name == "DATAPOINT_COUNT" else NOTHING
    times = sorted({at for one in several for at in one.points})
    points = {at: float(fold([one.points[at] for one in several if at in one.points])) for at in times}
    return Series(points, name, several[0].period if several else given.period)


FOLDS: Mapping[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "DATAPOINT_COUNT": len,
}

# ---- choosing


def _if(name: str, arguments: list[Value], given: Given) -> Value:
    condition, *branches = arguments
    then, otherwise = branches[0], branches[1] if len(branches) > 1 else None
    if isinstance(condition, str) or any(isinstance(branch, str | list) for branch in branches):
        raise Unfit("IF takes a condition and numbers or single series")
    if isinstance(condition, list):
        return each(lambda one: _chosen(one, then, otherwise), condition)
    if isinstance(condition, Series):
        return _chosen(condition, then, otherwise)
    chosen = then if condition and not math.isnan(condition) else otherwise
    return Series({}, period=given.period) if chosen is None else chosen


def _chosen(condition: Series, then: Any, otherwise: Any) -> Series:
    found = {}
    for at, holds in condition.points.items():
        branch = then if holds else otherwise
        if branch is not None and (not isinstance(branch, Series) or at in branch.points):
            found[at] = value_at(branch, at)
    return condition.with_points(found)


def _fill(name: str, arguments: list[Value], given: Given) -> Value:
    several, filler = _series(name, arguments[0]), arguments[1]
    if isinstance(filler, list) or (isinstance(filler, str) and filler not in FILLERS):
        raise Unfit("FILL takes a number, a series, REPEAT or LINEAR")

    def filled(one: Series) -> Series:
        times = sorted({*given.grid, *one.points})
        if isinstance(filler, str):
            return one.with_points(FILLERS[filler](one.points, times))
        return one.with_points({at: one.points.get(at, value_at(filler, at)) for at in times})

    return each(filled, several) if isinstance(several, list) else filled(several)


def _repeated(points: Mapping[float, float], times: Sequence[float]) -> dict[float, float]:
    found: dict[float, float] = {}
    last: float | None = None
    for at in times:
        last = points.get(at, last)
        if last is not None:
            found[at] = last
    return found


def _linear(points: Mapping[float, float], times: Sequence[float]) -> dict[float, float]:
    known, found = sorted(points), dict(points)
    for begin, end in pairwise(known):
        slope = (points[end] - points[begin]) / (end - begin)
        found |= {at: points[begin] + slope * (at - begin) for at in times if begin < at < end}
    return dict(sorted(found.items()))


FILLERS = {"REPEAT": _repeated, "LINEAR": _linear}


def _metrics(name: str, arguments: list[Value], given: Given) -> Value:
    wanted = arguments[0] if arguments else ""
    if not isinstance(wanted, str):
        raise Unfit("METRICS takes a text that the Ids hold")
    return [one for name in given.metrics if wanted in name for one in given.known[name]]


def _period(name: str, arguments: list[Value], given: Given) -> Value:
    several = _series(name, arguments[0])
    if isinstance(several, list):
        raise Unfit("PERIOD takes one series")
    return float(several.period)


def _time_series(name: str, arguments: list[Value], given: Given) -> Value:
    value = _number(name, arguments[0])
    return Series({} if math.isnan(value) else dict.fromkeys(given.grid, value), name, given.period)


def _several(name: str, value: Value) -> list[Series]:
    several = _series(name, value)
    return several if isinstance(several, list) else [several]


def _metric_count(name: str, arguments: list[Value], given: Given) -> Value:
    return float(len(_several(name, arguments[0])))


def _end(name: str, arguments: list[Value], given: Given) -> Value:
    several = _several(name, arguments[0])
    return several[0 if name == "FIRST" else -1] if several else Series({}, name, given.period)


def _slice(name: str, arguments: list[Value], given: Given) -> Value:
    begin, *end = [int(_number(name, argument)) for argument in arguments[1:]]
    several = _several(name, arguments[0])
    return several[begin : end[0]] if end else several[begin : begin + 1]


def _remove_empty(name: str, arguments: list[Value], given: Given) -> Value:
    return [one for one in _several(name, arguments[0]) if one.points]


def _sort(name: str, arguments: list[Value], given: Given) -> Value:
    fold, order, *most = arguments[1:]
    if fold not in ("AVG", "MIN", "MAX", "SUM") or order not in ("ASC", "DESC"):
        raise Unfit("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC")
    several = [one for one in _several(name, arguments[0]) if one.points]
    several.sort(key=lambda one: FOLDS[str(fold)](list(one.points.values())), reverse=order == "DESC")
    return several[: int(_number(name, most[0]))] if most else several


# name -> the least and the most arguments, and what it does
FUNCTIONS: Mapping[str, tuple[int, int, Callable[[str, list[Value], Given], Value]]] = {
    **dict.fromkeys(POINTWISE, (1, 1, _pointwise)),
    **dict.fromkeys(TIMEWISE, (1, 1, _timewise)),
    **dict.fromkeys(STEPWISE, (1, 1, _stepwise)),
    **dict.fromkeys(FOLDS, (1, 1, _folded)),
    "RUNNING_SUM": (1, 1, _running_sum),
    "IF": (2, 3, _if),
    "FILL": (2, 2, _fill),
    "METRICS": (0, 1, _metrics),
    "PERIOD": (1, 1, _period),
    "TIME_SERIES": (1, 1, _time_series),
    "METRIC_COUNT": (1, 1, _metric_count),
    "FIRST": (1, 1, _end),
    "LAST": (1, 1, _end),
    "SLICE": (2, 3, _slice),
    "REMOVE_EMPTY": (1, 1, _remove_empty),
    "SORT": (3, 4, _sort),
}
