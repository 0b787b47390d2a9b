"""Conditions of rules, checked as AWS checks them and kept as AWS answers them.

Source: ELB guide, rule-condition-types; quotas: load-balancer-limits (five values a rule).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.store import Action

MOST_VALUES = 5
CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
SIMPLE = ("host-header", "path-pattern")  # kinds whose values may stand beside the configuration
ONCE = ("http-request-method", "source-ip")
CIDR = re.compile(r"[0-9a-fA-F.:]+/\d{1,3}")


def normalised(wanted: Sequence[Action]) -> tuple[Action, ...]:
    """The conditions as AWS answers them; raises AwsError where they break a rule."""
    if not wanted:
        raise AwsError("ValidationError", "A condition must be specified")
    found = tuple(_normal(condition) for condition in wanted)
    fields = [condition["Field"] for condition in found]
    twice = [field for field in ONCE if fields.count(field) > 1]
    if twice:
        raise AwsError("ValidationError", f"A rule can only have one '{twice[0]}' condition")
    if sum(len(_config(condition)["Values"]) for condition in found) > MOST_VALUES:
        raise AwsError("ValidationError", f"A rule can only have '{MOST_VALUES}' condition values")
    return found


def _normal(condition: Action) -> Action:
    field = condition.get("Field", "")
    if field not in CONFIGS:
        raise AwsError("ValidationError", f"Condition field '{field}' must be one of '[{', '.join(CONFIGS)}]'")
    config = dict(condition.get(CONFIGS[field], {}))
    plain = condition.get("Values", ())
    if plain and (config or field not in SIMPLE):
        raise AwsError("ValidationError", f"Values cannot be given beside {CONFIGS[field]} for the field '{field}'")
    values = [*plain, *config.get("Values", ())]
    if not values:
        raise AwsError("ValidationError", f"A condition value must be specified for the field '{field}'")
    _check(field, config, values)
    answer = {"Field": field, CONFIGS[field]: {**config, "Values": values}}
    return {**answer, "Values": values} if field in SIMPLE else answer


def _check(field: str, config: dict[str, Any], values: list[Any]) -> None:
    if field == "http-header" and not config.get("HttpHeaderName"):
        raise AwsError("ValidationError", "The 'HttpHeaderName' field must be specified")
    if field == "source-ip" and not all(CIDR.fullmatch(value) for value in values):
        raise AwsError("ValidationError", f"A source IP must be in CIDR format: '{values}'")
    if field == "http-request-method" and not all(re.fullmatch(r"[A-Z_-]{1,40}", value) for value in values):
        raise AwsError("ValidationError", f"An HTTP request method must have capitals only: '{values}'")


def _config(condition: Action) -> dict[str, Any]:
    config: dict[str, Any] = condition[CONFIGS[condition["Field"]]]
    return config
