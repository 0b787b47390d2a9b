"""Metrics: what goes in, and how it comes out again by statistics, periods, units and pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudwatch_stage import CASES, NAMESPACE, Stage, case, expression, fresh, metric
from ecs_stage import Refusal, refusal, refusals

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import Histogram, record, statistics
from runbook_lib.sandbox.services.cloudwatch.functions import Given
from runbook_lib.sandbox.services.cloudwatch.histogram import StatisticSet, merged
from runbook_lib.sandbox.settings import Settings


@pytest.fixture
def stage() -> Stage:
    return fresh()


@pytest.mark.parametrize("one", refusals("cloudwatch"))
def test_what_aws_refuses_is_refused_in_its_words(stage: Stage, one: Refusal) -> None:
    """Each case is a file: an operation, its parameters, the code and a part of the message."""
    stage.alarm("known")
    code, message = refusal(getattr(stage.watch, one.operation), **one.params)
    assert (code, one.message in message) == (one.code, True), message


@pytest.mark.parametrize(("operation", "params"), case("missing_operations.json").items())
def test_what_is_not_served_says_so_by_name(stage: Stage, operation: str, params: dict[str, Any]) -> None:
    """With 501 and the operation's name, never with an empty answer."""
    code, message = refusal(getattr(stage.watch, operation), **params)
    assert code == "NotImplemented"
    assert operation.replace("_", "") in message.lower()


def test_aws_itself_writes_into_its_namespaces(stage: Stage) -> None:
    """Only callers from outside are kept out of AWS/."""
    data = [{"MetricName": "CPUUtilization", "Value": 1}]
    stage.world.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data)
    assert [one["Namespace"] for one in stage.watch.list_metrics()["Metrics"]] == ["AWS/ECS"]


# ---- statistics


@pytest.mark.parametrize(("name", "value"), case("statistics.json")["statistics"].items())
def test_every_statistic_of_ten_values(name: str, value: float) -> None:
    """Plain ones, percentiles, trimmed and winsorized means, counts, sums and ranks."""
    samples = Histogram.of(dict.fromkeys(case("statistics.json")["values"], 1))
    assert samples.statistic(name) == pytest.approx(value)


@pytest.mark.parametrize("name", case("statistics_unknown.json"))
def test_an_unknown_statistic_is_none(name: str) -> None:
    """It is known to be wrong, and asking for it is an error."""
    assert not statistics.known(name)
    with pytest.raises(ValueError, match="wanted: one that CloudWatch has"):
        Histogram.one(1.0).statistic(name)


def test_percentiles_come_out_of_get_metric_data(stage: Stage) -> None:
    """p99 of values that were counted."""
    values = {"Values": [float(ms) for ms in range(1, 101)], "Counts": [1.0] * 100}
    stage.watch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Took", **values}])
    assert stage.values(metric("Took", "p99"), minutes=1) == [pytest.approx(99.01)]


def test_a_statistic_set_keeps_its_extremes_and_has_no_percentile(stage: Stage) -> None:
    """Its minimum and maximum are told, the values between them are not (PutMetricData)."""
    kept = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}
    stage.watch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Took", "StatisticValues": kept}])
    shown = [stage.values(metric("Took", stat), minutes=1)[0] for stat in ("Minimum", "Maximum", "Average", "p50")]
    assert shown == [1, 5, 2.5, None]


def test_sets_and_values_are_counted_together() -> None:
    """Sums and extremes over both; a set of one value is a value."""
    alike = Histogram.told(StatisticSet(2, 4, 2, 2))
    both = merged([Histogram.one(7.0), Histogram.told(StatisticSet(3, 6, 1, 3)), alike])
    assert [both.statistic(name) for name in ("SampleCount", "Sum", "Minimum", "Maximum")] == [6, 17, 1, 7]
    assert alike.statistic("p50") == 2


# ---- metric math


@pytest.mark.parametrize("one", case("math.json"), ids=lambda one: one["name"])
def test_metric_math(stage: Stage, one: dict[str, Any]) -> None:
    """Each case: series by minute, an expression, and its points; null is no point."""
    for name, values in one["series"].items():
        stage.put(name, *values)
    queries = [metric(name, id=name) for name in one["series"]]
    assert stage.values(*queries, expression(one["expression"])) == pytest.approx(one["result"])


@pytest.mark.parametrize("one", case("math_refused.json"), ids=lambda one: one["name"])
def test_metric_math_that_cannot_be(stage: Stage, one: dict[str, str]) -> None:
    """The expression and what is wrong with it stand in the error."""
    queries = [metric("a"), metric("b", id="m2"), expression(one["expression"])]
    times = {"StartTime": stage.world.datetime(), "EndTime": stage.world.datetime(stage.start + 60)}
    code, message = refusal(stage.watch.get_metric_data, MetricDataQueries=queries, **times)
    assert (code, one["message"] in message) == ("ValidationError", True), message


def test_expressions_may_refer_to_later_ones(stage: Stage) -> None:
    """Their order in the call does not matter."""
    stage.put("Sold", 1, 2, 3)
    queries = [expression("e2+1", id="e1"), expression("m1*2", id="e2"), metric("Sold")]
    assert stage.read(*queries)["MetricDataResults"][0]["Values"] == [3, 5, 7]


def test_an_expression_of_several_series_gives_several_results(stage: Stage) -> None:
    """Under one Id, each with the label of its series."""
    stage.put("a", 1, 2, 3)
    stage.put("b", 4, 5, 6)
    hidden = {"ReturnData": False}
    found = stage.read(metric("a", **hidden), metric("b", id="m2", **hidden), expression("METRICS()*2"))
    shown = [(one["Id"], one["Label"], one["Values"]) for one in found["MetricDataResults"]]
    assert shown == [("e1", "a", [2, 4, 6]), ("e1", "b", [8, 10, 12])]


def test_a_name_that_no_series_has_is_refused_by_the_evaluator_too() -> None:
    """An expression is never evaluated with a hole in it."""
    from runbook_lib.sandbox.services.cloudwatch.expression import evaluate

    with pytest.raises(AwsError, match="names m1"):
        evaluate("m1+1", Given({}, (), ()))


# ---- periods, times and units


def test_the_start_is_rounded_down_and_the_end_is_not_part(stage: Stage) -> None:
    """A start within a minute begins with it; a point at the end is left out (GetMetricData)."""
    stage.put("Sold", 1, 2, 3)
    start, end = stage.world.datetime(stage.start + 42), stage.world.datetime(stage.start + 120)
    found = stage.read(metric("Sold"), StartTime=start, EndTime=end)["MetricDataResults"][0]
    assert found["Values"] == [1, 2]
    assert found["Timestamps"][0] == stage.world.datetime(stage.start)


def test_a_longer_period_gathers_minutes(stage: Stage) -> None:
    """Five minutes from the start on, whatever the clock says."""
    stage.put("Sold", *range(1, 11))
    found = stage.read(metric("Sold", period=300), minutes=10)["MetricDataResults"][0]
    assert found["Values"] == [15, 40]


def test_seconds_are_kept_when_that_is_asked_for(stage: Stage) -> None:
    """A high-resolution metric can be read by ten seconds, any other has one point a minute."""
    for second in (0, 5, 12):
        at = stage.world.datetime(stage.start + second)
        datum = {"MetricName": "Fine", "Value": 1, "Timestamp": at, "StorageResolution": 1}
        stage.watch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
    found = stage.read(metric("Fine", period=10), minutes=1)["MetricDataResults"][0]
    assert found["Values"] == [2, 1]


def test_seconds_are_forgotten_after_three_hours_and_minutes_after_fifteen_days(stage: Stage) -> None:
    """What is older can be read by longer periods only."""
    stage.put("Sold", 1, StorageResolution=1)
    read = lambda period: stage.read(metric("Sold", period=period), minutes=5)["MetricDataResults"][0]["Values"]  # noqa: E731
    stage.until(181)
    assert (read(10), read(60)) == ([], [1])
    stage.until(60 * 24 * 15 + 1)
    assert (read(60), read(300)) == ([], [1])


def test_another_unit_finds_nothing(stage: Stage) -> None:
    """A wrong unit is no error: there is just no point (GetMetricStatistics)."""
    stage.put("Sold", 1, Unit="Count")
    times = {"StartTime": stage.world.datetime(), "EndTime": stage.world.datetime(stage.start + 60)}
    asked = {"Namespace": NAMESPACE, "MetricName": "Sold", "Period": 60, "Statistics": ["Sum"], **times}
    units = [stage.watch.get_metric_statistics(**asked, Unit=unit)["Datapoints"] for unit in ("Count", "Bytes")]
    assert units == [[{"Timestamp": times["StartTime"], "Sum": 1, "Unit": "Count"}], []]


def test_statistics_tell_percentiles_beside_the_plain_ones(stage: Stage) -> None:
    """Both kinds can be asked for in one call."""
    stage.put("Took", 4)
    times = {"StartTime": stage.world.datetime(), "EndTime": stage.world.datetime(stage.start + 60)}
    asked = {"Namespace": NAMESPACE, "MetricName": "Took", "Period": 60, **times}
    found = stage.watch.get_metric_statistics(**asked, Statistics=["Average"], ExtendedStatistics=["p99.95"])
    shown = found["Datapoints"][0]
    assert (shown["Average"], shown["ExtendedStatistics"], shown["Unit"]) == (4, {"p99.95": 4}, "None")


# ---- pages and lists


def test_a_call_has_500_queries_at_most(stage: Stage) -> None:
    """One more is refused (GetMetricData)."""
    times = {"StartTime": stage.world.datetime(), "EndTime": stage.world.datetime(stage.start + 60)}
    queries = [metric("Sold", id=f"m{number}") for number in range(501)]
    assert len(stage.read(*queries[:500])["MetricDataResults"]) == 500
    assert refusal(stage.watch.get_metric_data, MetricDataQueries=queries, **times) == (
        "ValidationError",
        "The collection MetricDataQueries must not have a size greater than 500.",
    )


def test_points_come_in_pages(stage: Stage) -> None:
    """A result that goes on in the next page is PartialData; the newest comes first unless asked otherwise."""
    stage.put("a", 1, 2, 3)
    stage.put("b", 4, 5, 6)
    first = stage.read(metric("a"), metric("b", id="m2"), MaxDatapoints=4, ScanBy="TimestampDescending")
    shown = [(one["Id"], one["Values"], one["StatusCode"]) for one in first["MetricDataResults"]]
    assert shown == [("m1", [3, 2, 1], "Complete"), ("m2", [6], "PartialData")]
    rest = stage.read(
        metric("a"), metric("b", id="m2"), MaxDatapoints=4, ScanBy="TimestampDescending", NextToken=first["NextToken"]
    )
    assert [(one["Id"], one["Values"], one["StatusCode"]) for one in rest["MetricDataResults"]] == [
        ("m2", [5, 4], "Complete")
    ]
    assert "NextToken" not in rest


def test_a_series_without_points_is_a_result_without_values(stage: Stage) -> None:
    """It is there, complete and empty."""
    found = stage.read(metric("a"))["MetricDataResults"]
    assert [(one["Id"], one["Values"], one["StatusCode"]) for one in found] == [("m1", [], "Complete")]


def test_metrics_are_listed_by_their_dimensions(stage: Stage) -> None:
    """A dimension with a value, or by its name alone; 500 a page."""
    for number in range(501):
        stage.put("Sold", 1, Dimensions=[{"Name": "Item", "Value": f"{number:03}"}])
    first = stage.watch.list_metrics(Namespace=NAMESPACE, Dimensions=[{"Name": "Item"}])
    rest = stage.watch.list_metrics(Namespace=NAMESPACE, Dimensions=[{"Name": "Item"}], NextToken=first["NextToken"])
    assert (len(first["Metrics"]), len(rest["Metrics"])) == (500, 1)
    one = stage.watch.list_metrics(Dimensions=[{"Name": "Item", "Value": "007"}])["Metrics"]
    assert [metric["Dimensions"] for metric in one] == [[{"Name": "Item", "Value": "007"}]]


def test_what_was_not_active_lately_can_be_left_out(stage: Stage) -> None:
    """RecentlyActive: a point within the last three hours."""
    stage.put("Sold", 1)
    stage.until(200)
    stage.put("Bought", 1, begin=190)
    names = [one["MetricName"] for one in stage.watch.list_metrics(RecentlyActive="PT3H")["Metrics"]]
    assert names == ["Bought"]


def test_a_minute_of_aws_becomes_visible_after_its_lag(stage: Stage) -> None:
    """And its late samples a minute after that."""
    stage.world.settings = Settings()
    told = {"namespace": NAMESPACE, "name": "Sold", "dimensions": {}, "minute": int(stage.start)}
    record(stage.world, **told, values=Histogram.one(1.0, 49), late=Histogram.one(1.0, 1))
    seen = []
    for minute in (2.9, 3.1, 4.1):
        stage.until(minute, 0)
        seen.append(stage.values(metric("Sold"), minutes=1)[0])
    assert seen == [None, 49, 50]


def test_cases_of_refusals_tell_all_that_they_must() -> None:
    """A file that lacks a field would not be a case."""
    for file in sorted((CASES / "refusals").glob("*.json")):
        assert set(json.loads(file.read_text(encoding="utf-8"))) == {"operation", "params", "code", "message"}, file
