"""Logs Insights: StartQuery reads and runs a query over the events that there are, GetQueryResults tells its rows.

Source: CloudWatch Logs API reference, StartQuery and GetQueryResults; user guide,
CWL_AnalyzeLogData-discoverable-fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.logs import filtering, insights_commands
from runbook_lib.sandbox.services.logs.insights_commands import Table, stamp
from runbook_lib.sandbox.services.logs.insights_language import text

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

MOST_GROUPS = 50  # API reference, StartQuery
PAGE = 50


@dataclass(frozen=True)
class Query:
    """A query with its rows, as lists of (field, value)."""

    id: str
    groups: tuple[str, ...]
    told: str
    created: float
    rows: tuple[tuple[tuple[str, str], ...], ...]
    scanned: int
    matched: int
    size: int


def start(call: Call) -> dict[str, Any]:
    """StartQuery: what cannot be evaluated is refused here, never left out."""
    told = call.params
    if told.get("queryLanguage", "CWLI") != "CWLI":
        raise not_simulated(f"logs: the query language {told['queryLanguage']}")
    commands = insights_commands.compiled(told["queryString"])
    groups = _groups(told)
    rows = [row for group in groups for row in _events(call, group)]
    rows.sort(key=lambda row: row["\0time"], reverse=True)
    table = Table(list(rows))
    matched = len(rows)
    for command in commands:
        before = table.grouped
        command(table)
        matched = matched if before or table.grouped else len(table.rows)
    shown = tuple(_shown(table, row) for row in table.rows[: min(table.limit, told.get("limit", table.limit))])
    size = sum(len(row["@message"].encode()) for row in rows)
    id = call.world.ids.uuid("logs-query")
    made = Query(id, groups, told["queryString"], call.world.now, shown, len(rows), matched, size)
    call.world.store("logs").queries[id] = made
    return {"queryId": id}


def _groups(told: Mapping[str, Any]) -> tuple[str, ...]:
    named = [told["logGroupName"]] if "logGroupName" in told else []
    named += told.get("logGroupNames", []) + told.get("logGroupIdentifiers", [])
    if not 1 <= len(named) <= MOST_GROUPS:
        raise AwsError("InvalidParameterException", f"Between 1 and {MOST_GROUPS} log groups must be named.")
    return tuple(filtering.group_of({"logGroupName": name}) for name in named)


def _events(call: Call, group: str) -> Iterator[dict[str, Any]]:
    window = {"startTime": _milliseconds(call.params["startTime"]), "endTime": _milliseconds(call.params["endTime"])}
    for event in filtering.events(call.world, {"logGroupName": group, **window}):
        yield {
            **_discovered(event["message"]),
            "@timestamp": stamp(event["timestamp"]),
            "@message": event["message"],
            "@logStream": event["logStreamName"],
            "@log": f"{call.account}:{group}",
            "@ingestionTime": stamp(event["ingestionTime"]),
            "@ptr": event["eventId"],
            "\0time": event["timestamp"],
        }


def _milliseconds(given: int) -> int:
    """The API takes seconds, and milliseconds as well."""
    return given if given >= 10**11 else given * 1000


def _discovered(message: str) -> dict[str, Any]:
    """The fields of an event in JSON, with dots between the levels."""
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return dict(_flat(found, "")) if isinstance(found, dict) else {}


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{number}")
    elif value is not None:
        yield path, value


def _shown(table: Table, row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    pairs = [(name, text(row.get(name))) for name in table.columns]
    if not table.grouped:
        pairs.append(("@ptr", row["@ptr"]))
    return tuple((name, value) for name, value in pairs if value is not None)


def results(call: Call) -> dict[str, Any]:
    """GetQueryResults: a query is complete as soon as it is started."""
    found = _found(call)
    return {
        "queryLanguage": "CWLI",
        "results": [[{"field": name, "value": value} for name, value in row] for row in found.rows],
        "statistics": {
            "recordsMatched": float(found.matched),
            "recordsScanned": float(found.scanned),
            "bytesScanned": float(found.size),
        },
        "status": "Complete",
    }


def _found(call: Call) -> Query:
    found: Query | None = call.world.store("logs").queries.get(call.params["queryId"])
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Query {call.params['queryId']} does not exist.")
    return found


def stop(call: Call) -> dict[str, Any]:
    """StopQuery: there is nothing left to stop."""
    id = _found(call).id
    raise AwsError("InvalidParameterException", f"Provided query {id} is not in the running state")


def describe(call: Call) -> dict[str, Any]:
    """DescribeQueries, newest first."""
    told = call.params
    if told.get("status", "Complete") != "Complete":
        return {"queries": []}
    group = told.get("logGroupName")
    queries = reversed(call.world.store("logs").queries.values())
    found = [_listed(one) for one in queries if group is None or group in one.groups]
    return {"queries": found[: told.get("maxResults", PAGE)]}


def _listed(query: Query) -> dict[str, Any]:
    return {
        "queryLanguage": "CWLI",
        "queryId": query.id,
        "queryString": query.told,
        "status": "Complete",
        "createTime": int(query.created * 1000),
        "logGroupName": query.groups[0],
    }


OPERATIONS = {"StartQuery": start, "GetQueryResults": results, "StopQuery": stop, "DescribeQueries": describe}
