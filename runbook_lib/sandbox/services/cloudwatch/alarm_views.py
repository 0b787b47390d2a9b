"""Alarms as the API shows them. Source: CloudWatch API reference, DescribeAlarms and DescribeAlarmsForMetric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch import composite
from runbook_lib.sandbox.services.cloudwatch.pages import page
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PAGE = 50
LISTS: Mapping[str, list[str]] = {"OKActions": [], "AlarmActions": [], "InsufficientDataActions": []}


def describe_alarms(call: Call) -> dict[str, Any]:
    """DescribeAlarms by name, prefix, state or kind; without a kind only metric alarms are shown."""
    told, world = call.params, call.world
    kinds = told.get("AlarmTypes", ["MetricAlarm"])
    family = _family(world, told)
    found = [
        alarm
        for alarm in sorted(store(world).alarms.values(), key=lambda alarm: alarm.name)
        if _kind(alarm) in kinds and _fits(alarm, told) and (family is None or alarm.name in family)
    ]
    shown = page("found", found, told.get("MaxRecords", PAGE), told.get("NextToken"))
    answer = {"MetricAlarms": list[Any](), "CompositeAlarms": list[Any]()}
    for alarm in shown.pop("found"):
        answer[f"{_kind(alarm)}s"].append(view(world, alarm))
    return {**answer, **shown}


def _kind(alarm: Alarm) -> str:
    return "CompositeAlarm" if alarm.composite else "MetricAlarm"


def _family(world: World, told: Mapping[str, Any]) -> set[str] | None:
    """The alarms that a composite one watches, or those that watch one; None when neither is asked for."""
    known = store(world).alarms
    if "ChildrenOfAlarmName" in told:
        parent = known.get(told["ChildrenOfAlarmName"])
        return set(composite.watched(parent.told["AlarmRule"])) if parent and parent.composite else set()
    if "ParentsOfAlarmName" in told:
        parents = (alarm for alarm in known.values() if alarm.composite)
        return {a.name for a in parents if told["ParentsOfAlarmName"] in composite.watched(a.told["AlarmRule"])}
    return None


def _fits(alarm: Alarm, told: Mapping[str, Any]) -> bool:
    prefix = told.get("ActionPrefix")
    actions = [arn for name in LISTS for arn in alarm.told.get(name, ())]
    return (
        alarm.name in told.get("AlarmNames", [alarm.name])
        and alarm.name.startswith(told.get("AlarmNamePrefix", ""))
        and told.get("StateValue", alarm.state) == alarm.state
        and (prefix is None or any(arn.startswith(prefix) for arn in actions))
    )


def describe_alarms_for_metric(call: Call) -> dict[str, Any]:
    """DescribeAlarmsForMetric: the alarms on one metric."""
    told = call.params
    wanted = sorted((one["Name"], one["Value"]) for one in told.get("Dimensions", ()))
    same = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit")
    found = [
        view(call.world, alarm)
        for alarm in store(call.world).alarms.values()
        if all(alarm.told.get(name) == told[name] for name in same if name in told)
        and sorted((one["Name"], one["Value"]) for one in alarm.told.get("Dimensions", ())) == wanted
    ]
    return {"MetricAlarms": found}


def view(world: World, alarm: Alarm) -> dict[str, Any]:
    """An alarm as DescribeAlarms answers it."""
    told = {key: value for key, value in alarm.told.items() if key != "Tags"}
    return {
        **{name: list(actions) for name, actions in LISTS.items()},
        **({} if alarm.composite or "Metrics" in told else {"Dimensions": []}),
        **told,
        "AlarmArn": alarm.arn,
        "ActionsEnabled": alarm.actions_enabled,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        **({"StateReasonData": alarm.reason_data} if alarm.reason_data else {}),
        "StateUpdatedTimestamp": world.datetime(alarm.changed),
        "StateTransitionedTimestamp": world.datetime(alarm.entered),
        "AlarmConfigurationUpdatedTimestamp": world.datetime(alarm.updated),
    }
