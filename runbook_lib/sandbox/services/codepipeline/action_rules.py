"""Which declarations of actions AWS takes (CodePipeline user guide, reference-pipeline-structure and limits)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline.providers import PROVIDERS, Provider

NAME = r"[A-Za-z0-9.@\-_]+"
LONGEST_VALUE = 1000
NOT_SERVED = ("commands", "environmentVariables", "outputVariables")
NO_TOPIC = (
    "The ARN {arn} you specified for sending notifications for the approval action {name} contains a format error."
)


def check_action(action: Mapping[str, Any], region: str) -> None:
    """Refuse an action that AWS would refuse, or that cannot run here."""
    name, kind = action["name"], action["actionTypeId"]
    if not re.fullmatch(NAME, name):
        raise _refused(f"The action name '{name}' does not match {NAME}")
    rules = PROVIDERS.get((kind["category"], kind["provider"]))
    served = kind["owner"] == "AWS" and kind["version"] == "1" and action.get("region", region) == region
    if rules is None or not served:
        shown = ", ".join(f"{key.capitalize()}: '{kind[key]}'" for key in ("category", "provider", "owner", "version"))
        where = action.get("region", region).upper().replace("-", "_")
        raise _refused(f"ActionType ({shown}) in action '{name}' is not available in region {where}")
    for key in NOT_SERVED:
        if action.get(key):
            raise _refused(f"Action '{name}': {key} is not simulated")
    if "timeoutInMinutes" in action and kind["category"] != "Approval":
        raise _refused(f"Action '{name}': timeoutInMinutes is only for actions of the category Approval")
    _check_configuration(action, rules)
    _check_counts(action, rules)
    _check_inputs(action)


def _check_configuration(action: Mapping[str, Any], rules: Provider) -> None:
    given = action.get("configuration", {})
    text = f"Action configuration for action '{action['name']}'"
    for key in rules.required:
        if key not in given:
            raise _refused(f"{text} is missing required configuration '{key}'")
    for key, value in given.items():
        if key not in rules.required + rules.optional:
            raise _refused(f"{text} contains unknown configuration '{key}'")
        if len(value) > LONGEST_VALUE:
            raise _refused(
                f"{text}: the value of '{key}' is {len(value)} characters long, the limit is {LONGEST_VALUE}"
            )
    topic = given.get("NotificationArn", "")
    if topic and "#{" not in topic and not topic.startswith("arn:"):
        raise _refused(NO_TOPIC.format(arn=topic, name=action["name"]))


def _check_counts(action: Mapping[str, Any], rules: Provider) -> None:
    for kind, (least, most) in (("input", rules.inputs), ("output", rules.outputs)):
        number = len(action.get(f"{kind}Artifacts", ()))
        text = f"Action {action['name']} declares {number} {kind} artifacts which is"
        if number < least:
            raise _refused(f"{text} less than the minimum count ({least})")
        if number > most:
            raise _refused(f"{text} more than the maximum count ({most})")


def _check_inputs(action: Mapping[str, Any]) -> None:
    names = [artifact["name"] for artifact in action.get("inputArtifacts", ())]
    primary = action.get("configuration", {}).get("PrimarySource")
    if action["actionTypeId"]["provider"] != "CodeBuild":
        return
    if len(names) > 1 and not primary:
        raise _refused(
            f"Action configuration for action '{action['name']}' is missing required configuration 'PrimarySource'"
        )
    if primary and primary not in names:
        raise _refused(f"Action '{action['name']}': the PrimarySource {primary} is not one of its input artifacts")


def _refused(text: str) -> AwsError:
    return AwsError("InvalidActionDeclarationException", text)
