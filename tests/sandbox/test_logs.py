"""CloudWatch Logs: what patterns find, and what metric filters make of the events that come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ecs_stage import refusal

from runbook_lib.sandbox import Sandbox

CASES = Path(__file__).parents[1] / "cases" / "log_patterns.yaml"
PATTERNS = [
    pytest.param(one["messages"], pattern, wanted, id=pattern)
    for one in yaml.safe_load(CASES.read_text(encoding="utf-8"))
    for pattern, wanted in one["patterns"].items()
]
GROUP = "/ecs/orders"


@pytest.fixture
def logs(fresh: Sandbox) -> Any:
    client = fresh.client("logs")
    client.create_log_group(logGroupName=GROUP)
    for stream in ("app/1", "app/2"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    return client


def write(logs: Any, fresh: Sandbox, *messages: str, stream: str = "app/1", after: int = 0) -> None:
    """Puts events one second apart."""
    start = int(fresh.world.now * 1000) + after * 1000
    events = [{"timestamp": start + 1000 * number, "message": text} for number, text in enumerate(messages)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def found(logs: Any, **params: Any) -> list[str]:
    return [event["message"] for event in logs.filter_log_events(logGroupName=GROUP, **params)["events"]]


@pytest.mark.parametrize(("messages", "pattern", "wanted"), PATTERNS)
def test_a_pattern_takes_its_events(
    logs: Any, fresh: Sandbox, messages: list[str], pattern: str, wanted: list[int]
) -> None:
    """In FilterLogEvents and in TestMetricFilter alike."""
    write(logs, fresh, *messages)
    assert found(logs, filterPattern=pattern) == [messages[number - 1] for number in wanted]
    tried = logs.test_metric_filter(filterPattern=pattern, logEventMessages=messages)["matches"]
    assert [one["eventNumber"] for one in tried] == wanted


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = }",
        "{ $.a = 1",
        "{ a = 1 }",
        "{ ($.a = 1 }",
        "{ $.a > x }",
        "[a, ..., b, ...]",
        "[a = 1 && b = 2]",
        "%(%",
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused(logs: Any, pattern: str) -> None:
    """Never taken for one that fits everything."""
    code, message = refusal(logs.filter_log_events, logGroupName=GROUP, filterPattern=pattern)
    assert (code, message[:24]) == ("InvalidParameterException", "Invalid filter pattern: ")


def test_what_a_pattern_extracts_is_told(logs: Any) -> None:
    """Fields by their names, selectors by their paths."""
    told = {"filterPattern": "[ip, status = 5*]", "logEventMessages": ["10.0.0.1 500"]}
    assert logs.test_metric_filter(**told)["matches"][0]["extractedValues"] == {"$ip": "10.0.0.1", "$status": "500"}
    told = {"filterPattern": "{ $.a.b > 1 }", "logEventMessages": ['{"a": {"b": 2}}']}
    assert logs.test_metric_filter(**told)["matches"][0]["extractedValues"] == {"$.a.b": "2"}


def test_events_of_all_streams_come_by_time_and_in_pages(logs: Any, fresh: Sandbox) -> None:
    """Or of some streams only, by name, prefix, and time."""
    write(logs, fresh, "a", "c", stream="app/1")
    write(logs, fresh, "b", "d", stream="app/2", after=0)
    assert found(logs) == ["a", "b", "c", "d"]
    first = logs.filter_log_events(logGroupName=GROUP, limit=3)
    assert found(logs, limit=3, nextToken=first["nextToken"]) == ["d"]
    assert found(logs, logStreamNamePrefix="app/2") == ["b", "d"]
    assert found(logs, logStreamNames=["app/1"], startTime=int(fresh.world.now * 1000) + 500) == ["c"]


def test_a_group_is_named_by_its_arn_too(logs: Any, fresh: Sandbox) -> None:
    """And one that does not exist is not found."""
    write(logs, fresh, "a")
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}"
    assert [one["message"] for one in logs.filter_log_events(logGroupIdentifier=arn)["events"]] == ["a"]
    assert refusal(logs.filter_log_events, logGroupName="/none")[0] == "ResourceNotFoundException"


# ---- metric filters


def make_filter(logs: Any, pattern: str, value: str, **more: Any) -> None:
    told = {"metricName": "Seen", "metricNamespace": "Orders", "metricValue": value, **more}
    logs.put_metric_filter(logGroupName=GROUP, filterName="seen", filterPattern=pattern, metricTransformations=[told])


def total(fresh: Sandbox, *dimensions: dict[str, str]) -> tuple[float, float]:
    """The sum of the metric and its number of samples."""
    world = fresh.world
    points = fresh.client("cloudwatch").get_metric_statistics(
        Namespace="Orders", MetricName="Seen", Period=600, Statistics=["Sum", "SampleCount"],
        Dimensions=list(dimensions), StartTime=world.datetime(world.now - 300), EndTime=world.datetime(world.now + 300),
    )["Datapoints"]  # fmt: skip
    return sum(one["Sum"] for one in points), sum(one["SampleCount"] for one in points)


def test_a_metric_filter_counts_events(logs: Any, fresh: Sandbox) -> None:
    """Those that come in after it was put."""
    write(logs, fresh, "ERROR before")
    make_filter(logs, "ERROR", "1")
    write(logs, fresh, "ERROR one", "INFO two", "ERROR three", after=5)
    assert total(fresh) == (2.0, 2.0)


def test_a_metric_filter_measures_what_it_extracts(logs: Any, fresh: Sandbox) -> None:
    """By a dimension of the event; what is no number is left out."""
    make_filter(logs, "{ $.ms > 0 }", "$.ms", dimensions={"Path": "$.path"}, unit="Milliseconds")
    write(logs, fresh, '{"ms": 20, "path": "/a"}', '{"ms": 30, "path": "/a"}', '{"ms": 5, "path": "/b"}', '{"ms": "x"}')
    assert total(fresh, {"Name": "Path", "Value": "/a"}) == (50.0, 2.0)


def test_a_metric_filter_reports_its_default(logs: Any, fresh: Sandbox) -> None:
    """For events that do not fit."""
    make_filter(logs, "ERROR", "1", defaultValue=0.0)
    write(logs, fresh, "INFO", "ERROR")
    assert total(fresh) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("pattern", "more", "words"),
    [
        ("{ $.a", {}, "Invalid filter pattern"),
        ("x", {"metricNamespace": "AWS/Own"}, "must not begin with AWS/"),
        ("x", {"defaultValue": 0.0, "dimensions": {"a": "$.a"}}, "default value cannot be given beside dimensions"),
        ("x", {"dimensions": dict.fromkeys("abcd", "$.a")}, "At most 3 dimensions"),
    ],
)
def test_a_metric_filter_that_cannot_be_is_refused(logs: Any, pattern: str, more: dict[str, Any], words: str) -> None:
    """With the reason."""
    told = {"metricName": "Seen", "metricNamespace": "Orders", "metricValue": "1", **more}
    params = {"logGroupName": GROUP, "filterName": "f", "filterPattern": pattern, "metricTransformations": [told]}
    code, message = refusal(logs.put_metric_filter, **params)
    assert (code, words in message) == ("InvalidParameterException", True), message
