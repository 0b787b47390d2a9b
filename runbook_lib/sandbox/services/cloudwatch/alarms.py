"""Alarms: made, deleted, switched, set by hand. Source: CloudWatch API reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import alarm_rules, evaluation, history, transitions
from runbook_lib.sandbox.services.cloudwatch.store import Alarm, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


def put_metric_alarm(call: Call) -> dict[str, Any]:
    """PutMetricAlarm: make or replace an alarm on a metric or an expression."""
    told = dict(call.params)
    alarm_rules.check_metric_alarm(told)
    evaluation.check(call.world, told)
    _put(call, told)
    return {}


def put_composite_alarm(call: Call) -> dict[str, Any]:
    """PutCompositeAlarm: make or replace an alarm on other alarms."""
    told = dict(call.params)
    alarm_rules.check_composite_alarm(call.world, told)
    _put(call, told)
    return {}


def _put(call: Call, told: dict[str, Any]) -> None:
    world, name = call.world, told["AlarmName"]
    known = store(world).alarms.get(name)
    if known and known.composite != ("AlarmRule" in told):
        raise AwsError("ValidationError", f"An alarm of another type is called {name}")
    alarm = _made(world, told)
    if known:  # an update leaves the state as it is (PutMetricAlarm)
        alarm.state, alarm.reason, alarm.reason_data = known.state, known.reason, known.reason_data
        alarm.changed, alarm.entered = known.changed, known.entered
    else:
        store(world).tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
    store(world).alarms[name] = alarm
    history.configured(world, alarm, "Update" if known else "Create")
    evaluation.start(world)


def _made(world: World, told: dict[str, Any]) -> Alarm:
    arn = world.arn("cloudwatch", f"alarm:{told['AlarmName']}")
    enabled = told.get("ActionsEnabled", True)
    return Alarm(told["AlarmName"], arn, told, world.now, enabled, changed=world.now, entered=world.now)


def delete_alarms(call: Call) -> dict[str, Any]:
    """DeleteAlarms; when one of several does not exist, none goes."""
    names, known = call.params["AlarmNames"], store(call.world).alarms
    missing = [name for name in names if name not in known]
    if missing and len(names) > 1:
        raise _missing(missing[0])
    for name in [name for name in names if name in known]:
        gone = known.pop(name)
        store(call.world).tags.pop(gone.arn, None)
        history.configured(call.world, gone, "Delete")
    return {}


def set_alarm_state(call: Call) -> dict[str, Any]:
    """SetAlarmState: put an alarm into a state until its next evaluation; its actions follow as from any other."""
    told, alarm = call.params, store(call.world).alarms.get(call.params["AlarmName"])
    if alarm is None:
        raise _missing(told["AlarmName"])
    if told["StateValue"] not in STATES:
        raise AwsError("ValidationError", f"StateValue must be one of {', '.join(STATES)}")
    data = told.get("StateReasonData", "")
    if data and not _is_json(data):
        raise AwsError("InvalidFormat", "StateReasonData must be JSON")
    transitions.enter(call.world, alarm, told["StateValue"], told["StateReason"], data)
    return {}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def enable(call: Call) -> dict[str, Any]:
    """EnableAlarmActions."""
    return _switch(call, True)


def disable(call: Call) -> dict[str, Any]:
    """DisableAlarmActions: alarms are evaluated without acting."""
    return _switch(call, False)


def _switch(call: Call, on: bool) -> dict[str, Any]:
    for name in call.params["AlarmNames"]:
        if name in store(call.world).alarms:
            store(call.world).alarms[name].actions_enabled = on
    return {}


def _missing(name: str) -> AwsError:
    return AwsError("ResourceNotFound", f"Alarm {name} does not exist", 404)
