"""Checks of what stops, undoes or announces a deployment: alarms, automatic rollback, triggers.

Sources: CodeDeploy API reference (AlarmConfiguration, AutoRollbackConfiguration, TriggerConfig); user guide, limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_lib.sandbox.errors import AwsError

MAX_ALARMS = 10
MAX_TRIGGERS = 10
ROLLBACK_EVENTS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
TRIGGER_EVENTS = (
    "DeploymentStart",
    "DeploymentSuccess",
    "DeploymentFailure",
    "DeploymentStop",
    "DeploymentRollback",
    "DeploymentReady",
    "InstanceStart",
    "InstanceSuccess",
    "InstanceFailure",
    "InstanceReady",
)


def check_alarms(config: dict[str, Any] | None) -> None:
    """Refuses an alarm configuration that CodeDeploy refuses; whether the alarms exist is not asked."""
    if config is None:
        return
    names = [alarm.get("name") or "" for alarm in config.get("alarms", [])]
    if config.get("enabled") and not names:
        _bad_alarms("The alarm configuration is enabled, but the alarm list is empty.")
    if any(not 1 <= len(name) <= 255 for name in names):
        _bad_alarms("The alarm name is empty or null or exceeds the limit of 255 characters.")
    if len(set(names)) < len(names):
        _bad_alarms("Two alarms with the same name have been specified.")
    if len(names) > MAX_ALARMS:
        raise AwsError(
            "AlarmsLimitExceededException",
            f"The maximum number of alarms for a deployment group ({MAX_ALARMS}) was exceeded.",
        )


def _bad_alarms(reason: str) -> None:
    raise AwsError("InvalidAlarmConfigException", reason)


def check_rollback(config: dict[str, Any] | None) -> None:
    """Refuses an automatic rollback that is enabled for nothing or for something unknown."""
    if config is None:
        return
    events: Sequence[str] = config.get("events", [])
    if config.get("enabled") and not events:
        _bad_rollback("Automatic rollback is enabled, but no event types were listed.")
    for event in events:
        if event not in ROLLBACK_EVENTS:
            _bad_rollback(f"{event!r} is none of {', '.join(ROLLBACK_EVENTS)}.")


def _bad_rollback(reason: str) -> None:
    raise AwsError("InvalidAutoRollbackConfigException", reason)


def check_triggers(triggers: Sequence[dict[str, Any]]) -> None:
    """Refuses triggers without a name, a topic or a known event."""
    if len(triggers) > MAX_TRIGGERS:
        raise AwsError("TriggerTargetsLimitExceededException", "The maximum allowed number of triggers was exceeded.")
    names = [trigger.get("triggerName") or "" for trigger in triggers]
    if not all(names) or len(set(names)) < len(names):
        _bad_trigger(f"Every trigger needs a name of its own; the names are {names}.")
    for trigger in triggers:
        if ":sns:" not in (trigger.get("triggerTargetArn") or ""):
            _bad_trigger(f"The target of {trigger['triggerName']} is not the ARN of an Amazon SNS topic.")
        events = trigger.get("triggerEvents") or []
        if not events or not set(events) <= set(TRIGGER_EVENTS):
            _bad_trigger(f"The events of {trigger['triggerName']} are not among {', '.join(TRIGGER_EVENTS)}.")


def _bad_trigger(reason: str) -> None:
    raise AwsError("InvalidTriggerConfigException", reason)
