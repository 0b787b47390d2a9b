"""GetMetricStatistics: one metric's statistics by period. Source: CloudWatch API reference, GetMetricStatistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import asking, statistics
from runbook_lib.sandbox.services.cloudwatch.points import MINUTE
from runbook_lib.sandbox.services.cloudwatch.store import key, units, visible

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

MOST_POINTS = 1440


def get_metric_statistics(call: Call) -> dict[str, Any]:
    """GetMetricStatistics; points of another unit than the one asked for are left out."""
    told, world = call.params, call.world
    window = asking.window(
        asking.epoch(told["StartTime"]), asking.epoch(told["EndTime"]), period=told["Period"], now=world.now
    )
    _check(told, len(window.grid))
    metric = key(told["Namespace"], told["MetricName"], told.get("Dimensions", ()))
    wanted = [told["Unit"]] if "Unit" in told else units(world, metric)
    points = [
        {"Timestamp": world.datetime(at), "Unit": unit, **shown}
        for unit in wanted
        for at, samples in visible(world, metric, window, unit=unit).items()
        if (shown := dict(_values(samples, told)))
    ]
    return {"Label": told["MetricName"], "Datapoints": points}


def _values(samples: Any, told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in told.get("Statistics", ()):
        yield name, samples.statistic(name)
    extended = {name: samples.statistic(name) for name in told.get("ExtendedStatistics", ())}
    known = {name: value for name, value in extended.items() if value is not None}
    if known:
        yield "ExtendedStatistics", known


def _check(told: Mapping[str, Any], points: int) -> None:
    if not told.get("Statistics") and not told.get("ExtendedStatistics"):
        raise _together("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    if asking.epoch(told["StartTime"]) >= asking.epoch(told["EndTime"]):
        raise _together("The parameter StartTime must be less than the parameter EndTime.")
    if told["Period"] not in asking.SHORT_PERIODS and (told["Period"] < MINUTE or told["Period"] % MINUTE):
        raise _wrong(f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of {MINUTE}.")
    for name in told.get("Statistics", ()):
        if name not in statistics.PLAIN:
            raise _wrong(f"The parameter Statistics.member.1 has the value {name}, which is not valid.")
    for name in told.get("ExtendedStatistics", ()):
        if statistics.asked(name) is None:
            raise _wrong(f"The value {name} for parameter ExtendedStatistics is not supported.")
    if points > MOST_POINTS:
        raise _together(
            f"You have requested up to {points:,} datapoints, which exceeds the limit of {MOST_POINTS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )


def _together(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def _wrong(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
