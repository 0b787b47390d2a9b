"""From one state of an alarm to another: it is written down, told to EventBridge, acted on, and felt by others.

Sources: CloudWatch user guide, cloudwatch-and-eventbridge (the event), AlarmThatSendsEmail (actions); API reference,
PutMetricAlarm (kinds of actions).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import clients
from runbook_lib.sandbox.services.cloudwatch import composite, history
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
LONGEST_SUBJECT = 100  # SNS API reference, Publish
TRIGGER = (  # what a notification tells of how the alarm is evaluated
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "Metrics",
)


def enter(world: World, alarm: Alarm, state: str, reason: str, reason_data: str = "") -> None:
    """Let an alarm be in a state; nothing happens when it is in it already."""
    if state == alarm.state:
        return
    before, since = history.state_of(alarm), alarm.entered
    alarm.state, alarm.reason, alarm.reason_data = state, reason, reason_data
    alarm.changed = alarm.entered = world.now
    history.entered(world, alarm, before)
    _announce(world, alarm, before, since)
    if alarm.actions_enabled:
        _act(world, alarm, before["stateValue"])
    _tell_composites(world, alarm)


def reconsider(world: World, alarm: Alarm) -> None:
    """Let a composite alarm follow the states of the alarms that it watches."""
    rule = alarm.told["AlarmRule"]
    true = composite.holds(rule, lambda name: alarm_state(world, name))
    names = [f"{name} is {alarm_state(world, name)}" for name in composite.watched(rule)]
    enter(world, alarm, "ALARM" if true else "OK", f"{rule} is {'true' if true else 'false'}: {', '.join(names)}")


def alarm_state(world: World, name: str) -> str | None:
    """The state of an alarm by name or ARN, None when there is none."""
    alarm = store(world).alarms.get(composite.short(name))
    return alarm.state if alarm else None


def _tell_composites(world: World, alarm: Alarm) -> None:
    for other in list(store(world).alarms.values()):
        if other.composite and alarm.name in composite.watched(other.told["AlarmRule"]):
            reconsider(world, other)


def _announce(world: World, alarm: Alarm, before: Mapping[str, Any], since: float) -> None:
    from runbook_lib.sandbox.services import events

    events.emit(
        world,
        source="aws.cloudwatch",
        detail_type="CloudWatch Alarm State Change",
        resources=[alarm.arn],
        detail={
            "alarmName": alarm.name,
            "state": _in_event(world, history.state_of(alarm), alarm.entered),
            "previousState": _in_event(world, before, since),
            "configuration": _configuration(alarm),
        },
    )


def _in_event(world: World, state: Mapping[str, Any], since: float) -> dict[str, Any]:
    data = state.get("stateReasonData")
    told = {"value": state["stateValue"], "reason": state["stateReason"], "timestamp": stamp(world, since)}
    return told | ({"reasonData": json.dumps(data)} if data else {})


def stamp(world: World, at: float) -> str:
    """A time as CloudWatch writes it."""
    return world.datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _configuration(alarm: Alarm) -> dict[str, Any]:
    told = alarm.told
    described = {"description": told["AlarmDescription"]} if "AlarmDescription" in told else {}
    if alarm.composite:
        return {"alarmRule": told["AlarmRule"], **described}
    queries = told["Metrics"] if "Metrics" in told else [_own(told)]
    return {"metrics": [_metric(query) for query in queries], **described}


def _own(told: Mapping[str, Any]) -> dict[str, Any]:
    """The metric of an alarm in the form of a query."""
    metric = {name: told[name] for name in ("Namespace", "MetricName", "Dimensions") if name in told}
    stat = told.get("Statistic") or told["ExtendedStatistic"]
    return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": told["Period"], "Stat": stat}, "ReturnData": True}


def _metric(query: Mapping[str, Any]) -> dict[str, Any]:
    found = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Expression" in query:
        return found | {"expression": query["Expression"]}
    stat = query["MetricStat"]
    named = {"namespace": stat["Metric"]["Namespace"], "name": stat["Metric"]["MetricName"]}
    dimensions = {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions", ())}
    metric = named | {"dimensions": dimensions}
    return found | {"metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}


def _act(world: World, alarm: Alarm, before: str) -> None:
    """Tell the topics of the new state; what a topic answers is written down.

    Application Auto Scaling is told nothing: its policies look at their alarms every minute by themselves.
    """
    subject = f'{alarm.state}: "{alarm.name}" in {region_name(world.settings.region)}'[:LONGEST_SUBJECT]
    for arn in alarm.told.get(ACTIONS[alarm.state], ()):
        error = ""
        if arn.split(":")[2] == "sns":
            error = _publish(world, arn, subject, json.dumps(_message(world, alarm, before)))
        history.acted(world, alarm, arn, error)


def _publish(world: World, topic: str, subject: str, message: str) -> str:
    """The error of a topic that could not be told, "" when it was."""
    try:
        world.client("sns").publish(TopicArn=topic, Subject=subject, Message=message)
    except ClientError as refused:
        return "{Code}: {Message}".format(**refused.response["Error"])
    return ""


def _message(world: World, alarm: Alarm, before: str) -> dict[str, Any]:
    told = alarm.told
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": told.get("AlarmDescription"),
        "AWSAccountId": world.settings.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(world, alarm.updated),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(world, alarm.entered),
        "Region": region_name(world.settings.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before,
        **{name: list(told.get(name, ())) for name in ACTIONS.values()},
        **({"AlarmRule": told["AlarmRule"]} if alarm.composite else {"Trigger": _trigger(told)}),
    }


def _trigger(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: told[name] for name in TRIGGER if name in told}
    if "MetricName" in told:
        found["Dimensions"] = [{"name": one["Name"], "value": one["Value"]} for one in told.get("Dimensions", ())]
    return found


@cache
def region_name(region: str) -> str:
    """A region as people call it, such as US East (N. Virginia); its own name where botocore has no other."""
    partitions = clients.session()._session.get_component("data_loader").load_data("endpoints")["partitions"]
    known = {name: found["description"] for each in partitions for name, found in each["regions"].items()}
    return str(known.get(region, region))
