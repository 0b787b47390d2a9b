"""What happened to alarms, as DescribeAlarmHistory tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch.pages import page
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 100  # items in an answer
VERSION = "1.0"


def describe_alarm_history(call: Call) -> dict[str, Any]:
    """DescribeAlarmHistory: newest first, unless asked otherwise."""
    told = call.params
    found = [item for item in store(call.world).history if _fits(item, told)]
    if told.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        found.reverse()
    return page("AlarmHistoryItems", found, told.get("MaxRecords", MOST), told.get("NextToken"))


def _fits(item: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    kinds = told.get("AlarmTypes", [item["AlarmType"]] if "AlarmName" in told else ["MetricAlarm"])
    return (
        told.get("AlarmName", item["AlarmName"]) == item["AlarmName"]
        and item["AlarmType"] in kinds
        and told.get("HistoryItemType", item["HistoryItemType"]) == item["HistoryItemType"]
        and told.get("StartDate", item["Timestamp"]) <= item["Timestamp"] <= told.get("EndDate", item["Timestamp"])
    )


def entered(world: World, alarm: Alarm, before: Mapping[str, Any]) -> None:
    """An alarm is in another state."""
    data = {"version": VERSION, "oldState": before, "newState": state_of(alarm)}
    summary = f"Alarm updated from {before['stateValue']} to {alarm.state}"
    _remember(world, alarm, "StateUpdate", summary, data)


def configured(world: World, alarm: Alarm, kind: str) -> None:
    """An alarm was made (Create), changed (Update) or deleted (Delete)."""
    done = {"Create": "created", "Update": "updated", "Delete": "deleted"}[kind]
    data = {"version": VERSION, "type": kind, f"{done}Alarm": {"alarmName": alarm.name, "alarmArn": alarm.arn}}
    _remember(world, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {done}', data)


def acted(world: World, alarm: Alarm, action: str, error: str) -> None:
    """An alarm told somebody, or could not."""
    state, data = ("Failed", {"error": error}) if error else ("Succeeded", {})
    summary = f"Failed to execute action {action}. Received error: {error}" if error else ""
    told = {"actionState": state, "notificationResource": action, "stateUpdateTimestamp": int(world.now * 1000), **data}
    _remember(world, alarm, "Action", summary or f"Successfully executed action {action}", told)


def state_of(alarm: Alarm) -> dict[str, Any]:
    """The state of an alarm as the history tells it."""
    data = {"stateReasonData": json.loads(alarm.reason_data)} if alarm.reason_data else {}
    return {"stateValue": alarm.state, "stateReason": alarm.reason, **data}


def _remember(world: World, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any]) -> None:
    item = {
        "AlarmName": alarm.name,
        "AlarmType": "CompositeAlarm" if alarm.composite else "MetricAlarm",
        "Timestamp": world.datetime(),
        "HistoryItemType": kind,
        "HistorySummary": summary,
        "HistoryData": json.dumps(data, separators=(",", ":")),
    }
    store(world).history.append(item)
