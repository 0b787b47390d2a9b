"""Alarms as the API shows them: made, described, deleted, set by hand, with their history and actions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
COMPARISONS = (
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
TERM = re.compile(r'(ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*"?([^")]+?)"?\s*\)')


def put_metric_alarm(call: Call) -> dict[str, Any]:
    """Make or replace an alarm on a metric or an expression."""
    told = dict(call.params)
    _check(told)
    _put(call, told)
    return {}


def put_composite_alarm(call: Call) -> dict[str, Any]:
    """Make or replace an alarm on other alarms."""
    told = dict(call.params)
    unknown = [name for _, name in TERM.findall(told["AlarmRule"]) if _short(name) not in store(call.world).alarms]
    if unknown:
        raise AwsError("ValidationError", f"AlarmRule contains an alarm that does not exist: {unknown[0]}")
    _put(call, told)
    return {}


def describe_alarms(call: Call) -> dict[str, Any]:
    """Alarms by name, prefix, state or kind."""
    told = call.params
    kinds = told.get("AlarmTypes", ["MetricAlarm"])
    found = [alarm for alarm in store(call.world).alarms.values() if _fits(alarm, told)]
    found.sort(key=lambda alarm: alarm.name)
    metric = [shown(call.world, alarm) for alarm in found if "AlarmRule" not in alarm.told]
    composite = [shown(call.world, alarm) for alarm in found if "AlarmRule" in alarm.told]
    named = "AlarmNames" in told and "AlarmTypes" not in told
    return {
        "MetricAlarms": metric if "MetricAlarm" in kinds else [],
        "CompositeAlarms": composite if "CompositeAlarm" in kinds or named else [],
    }


def describe_alarms_for_metric(call: Call) -> dict[str, Any]:
    """The alarms on one metric."""
    told = call.params
    wanted = sorted((one["Name"], one["Value"]) for one in told.get("Dimensions", ()))
    found = [
        shown(call.world, alarm)
        for alarm in store(call.world).alarms.values()
        if alarm.told.get("MetricName") == told["MetricName"]
        and alarm.told.get("Namespace") == told["Namespace"]
        and sorted((one["Name"], one["Value"]) for one in alarm.told.get("Dimensions", ())) == wanted
    ]
    return {"MetricAlarms": found}


def delete_alarms(call: Call) -> dict[str, Any]:
    """Delete alarms; ResourceNotFound when one does not exist, and then none goes."""
    names, known = call.params["AlarmNames"], store(call.world).alarms
    missing = [name for name in names if name not in known]
    if missing and len(names) > 1:
        raise AwsError("ResourceNotFound", f"Alarm {missing[0]} does not exist", 404)
    for name in names:
        known.pop(name, None)
    return {}


def set_alarm_state(call: Call) -> dict[str, Any]:
    """Put an alarm into a state until its next evaluation."""
    told, alarm = call.params, store(call.world).alarms.get(call.params["AlarmName"])
    if alarm is None:
        raise AwsError("ResourceNotFound", f"Alarm {told['AlarmName']} does not exist", 404)
    if told["StateValue"] not in STATES:
        raise AwsError("InvalidFormat", f"StateValue must be one of {', '.join(STATES)}")
    enter(call.world, alarm, told["StateValue"], told["StateReason"])
    return {}


def enable(call: Call) -> dict[str, Any]:
    """Let alarms act."""
    return _switch(call, True)


def disable(call: Call) -> dict[str, Any]:
    """Let alarms be evaluated without acting."""
    return _switch(call, False)


def describe_alarm_history(call: Call) -> dict[str, Any]:
    """What happened to alarms, newest first."""
    told = call.params
    found = [
        item
        for item in reversed(store(call.world).history)
        if told.get("AlarmName", item["AlarmName"]) == item["AlarmName"]
        and told.get("HistoryItemType", item["HistoryItemType"]) == item["HistoryItemType"]
    ]
    return {"AlarmHistoryItems": found[: told.get("MaxRecords", 100)]}


def alarm_state(world: World, name: str) -> str | None:
    """The state of an alarm by name or ARN, None when there is none."""
    alarm = store(world).alarms.get(_short(name))
    return alarm.state if alarm else None


def enter(world: World, alarm: Alarm, state: str, reason: str) -> None:
    """Let an alarm be in a state; a change is written down, told to EventBridge and acted on."""
    before, alarm.reason = alarm.state, reason
    if state == before:
        return
    alarm.state, alarm.changed = state, world.now
    _remember(world, alarm, "StateUpdate", f"Alarm updated from {before} to {state}")
    _announce(world, alarm, before)
    if alarm.actions_enabled:
        _act(world, alarm)


def evaluate_rule(world: World, alarm: Alarm) -> tuple[str, str]:
    """The state of a composite alarm: its rule over the states of others."""
    rule = alarm.told["AlarmRule"]
    python = TERM.sub(lambda term: str(alarm_state(world, term.group(2)) == term.group(1)), rule)
    words = python.replace("AND", "and").replace("OR", "or").replace("NOT", "not").replace("TRUE", "True")
    holds = _truth(words.replace("FALSE", "False"))
    return ("ALARM" if holds else "OK"), f"{rule} is {holds}"


def shown(world: World, alarm: Alarm) -> dict[str, Any]:
    """An alarm as describe_alarms answers it."""
    told = {key: value for key, value in alarm.told.items() if key != "Tags"}
    return {
        **{"OKActions": [], "AlarmActions": [], "InsufficientDataActions": []},
        **({} if "AlarmRule" in told or "Metrics" in told else {"Dimensions": []}),
        **told,
        "AlarmArn": alarm.arn,
        "ActionsEnabled": alarm.actions_enabled,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": world.datetime(alarm.changed),
        "StateTransitionedTimestamp": world.datetime(alarm.changed),
        "AlarmConfigurationUpdatedTimestamp": world.datetime(alarm.updated),
    }


def _put(call: Call, told: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services.cloudwatch import evaluation

    world, name = call.world, told["AlarmName"]
    arn = world.arn("cloudwatch", f"alarm:{name}")
    known = store(world).alarms.get(name)
    alarm = Alarm(name, arn, told, world.now, told.get("ActionsEnabled", True), changed=world.now)
    if known:
        alarm.state, alarm.reason, alarm.changed = known.state, known.reason, known.changed
    else:
        store(world).tags[arn] = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
    store(world).alarms[name] = alarm
    _remember(world, alarm, "ConfigurationUpdate", f'Alarm "{name}" {"updated" if known else "created"}')
    evaluation.start(world)


def _check(told: Mapping[str, Any]) -> None:
    if ("Metrics" in told) == ("MetricName" in told):
        raise AwsError("ValidationError", "Exactly one of the parameters Metrics and MetricName must be given")
    if "MetricName" in told and ("Statistic" in told) == ("ExtendedStatistic" in told):
        raise AwsError("ValidationError", "Exactly one of Statistic and ExtendedStatistic must be given")
    if told["ComparisonOperator"] not in COMPARISONS:
        raise AwsError("ValidationError", f"The comparison {told['ComparisonOperator']} is not simulated")
    if told.get("TreatMissingData", "missing") not in TREATMENTS:
        raise AwsError("ValidationError", f"TreatMissingData must be one of {', '.join(TREATMENTS)}")
    if told.get("DatapointsToAlarm", 1) > told["EvaluationPeriods"]:
        raise AwsError("ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    returned = [query["Id"] for query in told.get("Metrics", ()) if query.get("ReturnData", True)]
    if "Metrics" in told and len(returned) != 1:
        raise AwsError("ValidationError", "Exactly one element of the metrics list should return data.")


def _fits(alarm: Alarm, told: Mapping[str, Any]) -> bool:
    return (
        alarm.name in told.get("AlarmNames", [alarm.name])
        and alarm.name.startswith(told.get("AlarmNamePrefix", ""))
        and told.get("StateValue", alarm.state) == alarm.state
    )


def _switch(call: Call, on: bool) -> dict[str, Any]:
    for name in call.params["AlarmNames"]:
        if name in store(call.world).alarms:
            store(call.world).alarms[name].actions_enabled = on
    return {}


def _remember(world: World, alarm: Alarm, kind: str, summary: str) -> None:
    item = {
        "AlarmName": alarm.name,
        "AlarmType": "CompositeAlarm" if "AlarmRule" in alarm.told else "MetricAlarm",
        "Timestamp": world.datetime(),
        "HistoryItemType": kind,
        "HistorySummary": summary,
        "HistoryData": alarm.reason,
    }
    store(world).history.append(item)


def _announce(world: World, alarm: Alarm, before: str) -> None:
    from runbook_lib.sandbox.services import events

    detail = {
        "alarmName": alarm.name,
        "state": {"value": alarm.state, "reason": alarm.reason, "timestamp": world.datetime().isoformat()},
        "previousState": {"value": before},
    }
    events.emit(
        world,
        source="aws.cloudwatch",
        detail_type="CloudWatch Alarm State Change",
        resources=[alarm.arn],
        detail=detail,
    )


def _act(world: World, alarm: Alarm) -> None:
    for arn in alarm.told.get(ACTIONS[alarm.state], ()):
        if ":sns:" in arn:
            world.client("sns").publish(TopicArn=arn, Subject=f"{alarm.state}: {alarm.name}", Message=alarm.reason)


def _truth(words: str) -> bool:
    import ast

    def of(node: ast.AST) -> bool:
        if isinstance(node, ast.Constant):
            return bool(node.value)
        if isinstance(node, ast.UnaryOp):
            return not of(node.operand)
        if isinstance(node, ast.BoolOp):
            every = all if isinstance(node.op, ast.And) else any
            return every(of(value) for value in node.values)
        raise AwsError("ValidationError", f"AlarmRule cannot be read: {words}")

    return of(ast.parse(words.strip(), mode="eval").body)


def _short(name: str) -> str:
    return name.rpartition(":alarm:")[2] or name
