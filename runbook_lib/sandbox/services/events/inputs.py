"""What a target is told: the event, a part of it, a constant, or a template (EventBridge user guide, eb-transform)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

PATH = re.compile(r"\$(?:\.[A-Za-z0-9_-]+|\[\d+\]|\['[^']+'\]|\[\"[^\"]+\"\])*")
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]|\[\"([^\"]+)\"\]")
PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")


def check(target: Mapping[str, Any]) -> None:
    """Refuse a constant that is no JSON, and paths that are none."""
    if "Input" in target:
        try:
            json.loads(target["Input"])
        except ValueError:
            text = f"JSON syntax error in input for target {target['Id']}."
            raise AwsError("ValidationException", text) from None
    transformer = target.get("InputTransformer", {})
    for path in [*transformer.get("InputPathsMap", {}).values(), target.get("InputPath", "$")]:
        if not PATH.fullmatch(path):
            raise AwsError("ValidationException", f"Invalid InputPath for target {target['Id']} : [{path}].")


def message(rule: str, arn: str, target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text that reaches a target."""
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        told = target["InputTransformer"]
        values = {name: _at(event, path) for name, path in told.get("InputPathsMap", {}).items()}
        own = {"aws.events.rule-name": rule, "aws.events.rule-arn": arn, "aws.events.event": event}
        return _filled(told["InputTemplate"], {**own, "aws.events.event.json": event, **values})
    return json.dumps(_at(event, target.get("InputPath", "$")))


def _at(event: Any, path: str) -> Any:
    for step in STEP.finditer(path):
        key, index, *quoted = step.groups()
        name = key or next(filter(None, quoted), None)
        if index is not None:
            event = event[int(index)] if isinstance(event, list) and int(index) < len(event) else None
        else:
            event = event.get(name) if isinstance(event, Mapping) else None
    return event


def _filled(template: str, values: Mapping[str, Any]) -> str:
    def put(match: re.Match[str]) -> str:
        value = values.get(match.group(1), "")
        inside = template[: match.start()].replace('\\"', "").count('"') % 2
        if not inside:
            return json.dumps(value)
        return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)

    return PLACEHOLDER.sub(put, template)
