"""FilterLogEvents and TestMetricFilter: the events that a pattern takes.

Source: CloudWatch Logs API reference, FilterLogEvents and TestMetricFilter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.logs import pattern

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 10_000  # events of a page


def filter_log_events(call: Call) -> dict[str, Any]:
    """FilterLogEvents: in the order of their times, page by page."""
    told = call.params
    find = pattern.compiled(told.get("filterPattern", ""))
    found = [one for one in events(call.world, told) if find(one["message"]) is not None]
    found.sort(key=lambda one: one["timestamp"], reverse=told.get("startFromHead") is False)
    token, size = told.get("nextToken", "0"), told.get("limit", MOST)
    if not token.isdigit():
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    end = int(token) + size
    more = {"nextToken": str(end)} if end < len(found) else {}
    return {"events": found[int(token) : end], "searchedLogStreams": [], **more}


def group_of(told: Mapping[str, Any]) -> str:
    """The name of the group that a call is about, given as such or as an ARN."""
    named = told.get("logGroupName") or told.get("logGroupIdentifier")
    if not named:
        raise AwsError("InvalidParameterException", "Either logGroupName or logGroupIdentifier must be specified.")
    name: str = named.partition(":log-group:")[2].partition(":")[0] or named
    return name


def events(world: World, told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every event of the group's streams in the time asked for, as moto keeps them."""
    from runbook_lib.sandbox import moto_seam

    between = (told.get("startTime"), told.get("endTime"))
    found = moto_seam.logged(world, group_of(told), told.get("logStreamNames", []), between)
    if found is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    prefix = told.get("logStreamNamePrefix", "")
    return (one for one in found if one["logStreamName"].startswith(prefix))


def test_metric_filter(call: Call) -> dict[str, Any]:
    """TestMetricFilter: which of these messages a pattern takes, and what it extracts."""
    find = pattern.compiled(call.params["filterPattern"])
    found = [(number, text, find(text)) for number, text in enumerate(call.params["logEventMessages"], 1)]
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": text, "extractedValues": dict(values)}
            for number, text, values in found
            if values is not None
        ]
    }


OPERATIONS = {"FilterLogEvents": filter_log_events, "TestMetricFilter": test_metric_filter}
