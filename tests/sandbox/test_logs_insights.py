"""Logs Insights: queries are evaluated, and what cannot be evaluated is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ecs_stage import refusal

from runbook_lib.sandbox import Sandbox

TOLD = yaml.safe_load((Path(__file__).parents[1] / "cases" / "insights.yaml").read_text(encoding="utf-8"))
GROUP = "/ecs/orders"


@pytest.fixture
def logs(fresh: Sandbox) -> Any:
    """A group with the events of the cases."""
    client = fresh.client("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="app/1")
    start = int(fresh.world.now * 1000)
    events = [{"timestamp": start + 1000 * number, "message": text} for number, text in enumerate(TOLD["events"])]
    client.put_log_events(logGroupName=GROUP, logStreamName="app/1", logEvents=events)
    return client


def window(fresh: Sandbox) -> dict[str, int]:
    return {"startTime": int(fresh.world.now) - 60, "endTime": int(fresh.world.now) + 60}


def answer(logs: Any, fresh: Sandbox, query: str, **more: Any) -> dict[str, Any]:
    id = logs.start_query(**{"logGroupName": GROUP, **window(fresh), "queryString": query, **more})["queryId"]
    found: dict[str, Any] = logs.get_query_results(queryId=id)
    return found


def rows(found: dict[str, Any]) -> list[dict[str, str]]:
    return [{one["field"]: one["value"] for one in row if one["field"] != "@ptr"} for row in found["results"]]


@pytest.mark.parametrize("case", [pytest.param(one, id=one["query"]) for one in TOLD["queries"]])
def test_a_query_is_evaluated(logs: Any, fresh: Sandbox, case: dict[str, Any]) -> None:
    """Fields, filters, statistics, parsing, sorting: newest first unless sorted."""
    found = answer(logs, fresh, case["query"])
    assert (found["status"], rows(found)) == ("Complete", case["rows"])


@pytest.mark.parametrize("case", [pytest.param(one, id=one["query"]) for one in TOLD["refusals"]])
def test_a_query_that_is_not_evaluated_is_refused(logs: Any, fresh: Sandbox, case: dict[str, str]) -> None:
    """Malformed, or known to AWS alone; never answered without the part that was not understood."""
    params = {"logGroupName": GROUP, **window(fresh), "queryString": case["query"]}
    code, message = refusal(logs.start_query, **params)
    assert (code, case["words"] in message) == (case["code"], True), message


def test_rows_point_to_their_events(logs: Any, fresh: Sandbox) -> None:
    """Unless they are statistics; how much was read is told."""
    found = answer(logs, fresh, "fields @message | filter status = 404")
    assert [one["field"] for one in found["results"][0]] == ["@message", "@ptr"]
    assert (found["statistics"]["recordsMatched"], found["statistics"]["recordsScanned"]) == (1.0, 5.0)
    counted = answer(logs, fresh, "stats count(*)")
    assert [one["field"] for one in counted["results"][0]] == ["count(*)"]


def test_a_query_reads_its_groups_and_its_time_alone(logs: Any, fresh: Sandbox) -> None:
    """By name or ARN; an unknown group is not found."""
    early = {"startTime": int(fresh.world.now) - 60, "endTime": int(fresh.world.now)}
    assert len(rows(answer(logs, fresh, "fields level", **early))) == 1
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}"
    named = {**window(fresh), "queryString": "fields level", "logGroupIdentifiers": [arn], "limit": 2}
    id = logs.start_query(**named)["queryId"]
    assert len(logs.get_query_results(queryId=id)["results"]) == 2
    code, _ = refusal(logs.start_query, **{**named, "logGroupIdentifiers": ["/none"]})
    assert code == "ResourceNotFoundException"


def test_queries_are_listed(logs: Any, fresh: Sandbox) -> None:
    """One that is over cannot be stopped, and an unknown one is not found."""
    answer(logs, fresh, "fields level")
    listed = logs.describe_queries(logGroupName=GROUP)["queries"]
    assert [(one["queryString"], one["status"]) for one in listed] == [("fields level", "Complete")]
    code, message = refusal(logs.stop_query, queryId=listed[0]["queryId"])
    assert (code, "is not in the running state" in message) == ("InvalidParameterException", True)
    assert refusal(logs.get_query_results, queryId="none")[0] == "ResourceNotFoundException"
