"""What modelled tasks write of the requests that they failed."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import ecs_stage
import pytest
from ecs_stage import NAME, Stage
from test_traffic_metrics import of_blue, points

from runbook_lib.sandbox import moto_seam, moto_state
from runbook_lib.sandbox.disturbance import Disturbance
from runbook_lib.sandbox.traffic import applog

GROUP = "/ecs/orders"
OPTIONS = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
AWSLOGS = {"logConfiguration": {"logDriver": "awslogs", "options": OPTIONS}}
MORE = re.compile(r"(\d+) more requests failed in this minute")


def serving(rate: float, *disturbances: Disturbance, minutes: int = 8, **environment: str) -> Stage:
    """A service of two tasks that fails some of its requests and logs into a group, after some minutes."""
    stage = ecs_stage.fresh(whole=True)
    stage.world.settings = stage.world.settings.with_(disturbances=disturbances)
    stage.world.client("logs").create_log_group(logGroupName=GROUP)
    stage.define(container=AWSLOGS, APP_ERROR_RATE=str(rate), APP_VERSION="3.0.0", **environment)
    stage.serve()
    stage.settle()
    stage.wait(60 * minutes + 5 - (stage.world.now - stage.world.settings.start))
    return stage


def lines(stage: Stage, pattern: str = "") -> list[dict[str, Any]]:
    """The events of the group that a pattern takes."""
    pages = stage.world.client("logs").get_paginator("filter_log_events")
    told = pages.paginate(logGroupName=GROUP, filterPattern=pattern)
    return [event for page in told for event in page["events"]]


def requests(found: list[dict[str, Any]]) -> int:
    """How many failed requests the lines tell of."""
    counts = [MORE.search(one["message"]) for one in found]
    return sum(int(count[1]) if count else 1 for count in counts)


def by_minute(found: list[dict[str, Any]]) -> Counter[tuple[str, int]]:
    """How many lines each stream has of each minute."""
    return Counter((one["logStreamName"], one["timestamp"] // 60_000) for one in found)


@pytest.mark.parametrize("rate", [0.002, 0.3])
def test_every_request_that_a_task_fails_is_told(rate: float) -> None:
    """In the streams of the tasks, few of them one by one and many counted, as many as the metric counts."""
    stage = serving(rate)
    found = lines(stage)
    tasks = stage.ecs.list_tasks(cluster=NAME)["taskArns"]
    assert {one["logStreamName"] for one in found} == {f"ecs/app/{arn.rpartition('/')[2]}" for arn in tasks}
    assert requests(found) == sum(points(stage, "HTTPCode_Target_5XX_Count", **of_blue(stage))) > 0
    assert max(by_minute(found).values()) <= applog.MOST + 1
    assert any(MORE.search(one["message"]) for one in found) == (rate > 0.1)


def test_a_line_says_level_version_path_status_and_why() -> None:
    """In the application's JSON, found by its level."""
    (first, *_) = lines(serving(0.01, APP_ERROR_PATH="/orders"), "ERROR")
    assert json.loads(first["message"]) == {
        "level": "ERROR",
        "version": "3.0.0",
        "message": "GET /orders 500: the order could not be read",
    }


def test_a_dependency_that_fails_is_told_as_such_while_it_does() -> None:
    """Beside the version's own errors, which were there before."""
    stage = serving(0.01, Disturbance(after_minutes=9, minutes=2, error_rate=0.2), minutes=13)
    start = stage.world.settings.start - stage.world.settings.start % 60
    told = {(one["timestamp"] / 1000 - start) // 60 for one in lines(stage, '"upstream timed out"')}
    assert told == {9, 10}
    own = lines(stage, '"could not be read"')
    assert any((one["timestamp"] / 1000 - start) // 60 < 9 for one in own)


def test_a_version_without_errors_writes_none() -> None:
    """Nor has it a stream."""
    stage = serving(0.0)
    assert stage.world.client("logs").describe_log_streams(logGroupName=GROUP)["logStreams"] == []


def test_a_group_that_was_deleted_keeps_nothing() -> None:
    """The tasks run on, as with the driver's non-blocking mode."""
    stage = serving(0.3)
    stage.world.client("logs").delete_log_group(logGroupName=GROUP)
    stage.wait(120)
    assert stage.world.client("logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"] == []
    assert stage.shown()["runningCount"] == 2


def test_a_group_is_made_where_the_driver_may() -> None:
    """As the option awslogs-create-group says."""
    stage = ecs_stage.fresh(whole=True)
    options = {**OPTIONS, "awslogs-group": "/ecs/made", "awslogs-create-group": "true"}
    stage.define(container={"logConfiguration": {"logDriver": "awslogs", "options": options}}, APP_ERROR_RATE="0.3")
    stage.serve()
    stage.settle()
    stage.wait(240)
    found = stage.world.client("logs").filter_log_events(logGroupName="/ecs/made")["events"]
    assert 0 < len(found) <= 2 * 4 * (applog.MOST + 1)


def test_metric_filters_see_the_lines() -> None:
    """As those that come by PutLogEvents."""
    stage = serving(0.3, minutes=5)
    metric = {"metricName": "Errors", "metricNamespace": "Orders", "metricValue": "1"}
    stage.world.client("logs").put_metric_filter(
        logGroupName=GROUP, filterName="errors", filterPattern="ERROR", metricTransformations=[metric]
    )
    before = len(lines(stage))
    stage.wait(180)
    times = {"StartTime": stage.world.datetime(stage.world.settings.start), "EndTime": stage.world.datetime()}
    found = stage.world.client("cloudwatch").get_metric_statistics(
        Namespace="Orders", MetricName="Errors", Period=60, Statistics=["Sum"], **times
    )
    assert sum(one["Sum"] for one in found["Datapoints"]) == len(lines(stage)) - before > 0


def test_a_stream_is_kept_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its limit nothing more is kept."""
    monkeypatch.setattr(moto_seam, "MOST_LINES", 30)
    per_stream = Counter(one["logStreamName"] for one in lines(serving(0.3)))
    assert set(per_stream.values()) == {30}


def test_lines_are_found_page_by_page_after_a_world_was_loaded() -> None:
    """moto counts its events anew in each process; a page goes on where the last one ended all the same."""
    stage = serving(0.3)
    many = len(lines(stage))
    world = moto_state.load(moto_state.dump(stage.world))
    world.run_until(world.now + 120)
    found, token = [], {}
    while True:
        page = world.client("logs").filter_log_events(logGroupName=GROUP, limit=17, **token)
        found += page["events"]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert len(found) > many
    assert [one["timestamp"] for one in found] == sorted(one["timestamp"] for one in found)


def test_the_same_world_writes_the_same_lines() -> None:
    """Every output is the same on every run."""
    one, other = ([(e["timestamp"], e["message"]) for e in lines(serving(0.3, minutes=4))] for _ in range(2))
    assert one == other
