"""PutMetricData: own metrics. Source: CloudWatch API reference, PutMetricData and MetricDatum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import asking
from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, StatisticSet
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, MINUTE
from runbook_lib.sandbox.services.cloudwatch.store import add, key

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

MOST_DATA, MOST_VALUES, MOST_DIMENSIONS = 1000, 150, 30
OLDEST, NEWEST = 14 * DAY, 2 * HOUR  # how far a time may lie in the past and in the future
LARGEST = 2.0**360
GIVEN = ("Value", "Values", "StatisticValues")
INTERNAL = "aws"  # AWS's services write their metrics themselves


def put_metric_data(call: Call) -> dict[str, Any]:
    """PutMetricData: visible at once, kept by minute, or by second when that is asked for; all of it or nothing."""
    told, now = call.params, call.world.now
    _check(told, call.caller)
    for number, datum in enumerate(told["MetricData"], 1):
        _check_datum(datum, number, now)
    for datum in told["MetricData"]:
        metric = key(told["Namespace"], datum["MetricName"], datum.get("Dimensions", ()))
        step = datum.get("StorageResolution", MINUTE)
        at = int(_time(datum, now)) // step * step
        add(call.world, metric, at, _samples(datum), visible=now, unit=datum.get("Unit", "None"))
    return {}


def _check(told: Mapping[str, Any], caller: str) -> None:
    if told["Namespace"].startswith("AWS/") and caller != INTERNAL:
        raise _wrong(f"The value {told['Namespace']} for parameter Namespace is invalid: AWS/ is reserved.")
    if "EntityMetricData" in told or not told.get("MetricData"):
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    if len(told["MetricData"]) > MOST_DATA:
        raise _wrong(f"The collection MetricData must not have a size greater than {MOST_DATA}.")


def _check_datum(datum: Mapping[str, Any], number: int, now: float) -> None:
    where = f"MetricData.member.{number}"
    given = [name for name in GIVEN if name in datum]
    if len(given) != 1:
        message = f"Exactly one of {', '.join(GIVEN)} must be given for {where}, not {' and '.join(given) or 'none'}."
        raise AwsError("InvalidParameterCombination", message)
    if datum.get("StorageResolution", MINUTE) not in (1, MINUTE):
        raise _wrong(f"The parameter {where}.StorageResolution must be 1 or {MINUTE}.")
    if len(datum.get("Dimensions", ())) > MOST_DIMENSIONS:
        raise _wrong(f"The collection {where}.Dimensions must not have a size greater than {MOST_DIMENSIONS}.")
    if not now - OLDEST <= _time(datum, now) <= now + NEWEST:
        raise _wrong(f"The parameter {where}.Timestamp must be within the last two weeks or the next two hours.")
    _check_values(datum, where)


def _check_values(datum: Mapping[str, Any], where: str) -> None:
    values, counts = datum.get("Values", [datum.get("Value", 0.0)]), datum.get("Counts")
    if len(values) > MOST_VALUES:
        raise _wrong(f"The collection {where}.Values must not have a size greater than {MOST_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise _wrong(f"The collections {where}.Values and {where}.Counts must be of the same size.")
    figures = [*values, *datum.get("StatisticValues", {}).values()]
    if not all(math.isfinite(value) and abs(value) <= LARGEST for value in figures):
        raise _wrong(f"The values of {where} must be numbers between -2^360 and 2^360.")


def _time(datum: Mapping[str, Any], now: float) -> float:
    return asking.epoch(datum["Timestamp"]) if "Timestamp" in datum else now


def _samples(datum: Mapping[str, Any]) -> Histogram:
    if "Values" in datum:
        counts: dict[float, float] = {}
        many = datum.get("Counts") or [1.0] * len(datum["Values"])
        for value, count in zip(datum["Values"], many, strict=True):
            counts[value] = counts.get(value, 0.0) + count
        return Histogram.of(counts)
    if "StatisticValues" in datum:
        kept = datum["StatisticValues"]
        return Histogram.told(StatisticSet(kept["SampleCount"], kept["Sum"], kept["Minimum"], kept["Maximum"]))
    return Histogram.one(datum["Value"])


def _wrong(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
