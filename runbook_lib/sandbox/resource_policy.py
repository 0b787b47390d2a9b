"""Policies of queues, topics, log groups and functions: what they let a service do on behalf of a resource.

Sources: IAM user guide, reference_policies_evaluation-logic; EventBridge user guide, eb-use-resource-based; SNS
developer guide, sns-access-policy-use-cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Ask:
    """A service wants to do an action on a resource, on behalf of another resource of an account."""

    service: str  # its principal, such as events.amazonaws.com
    action: str
    resource: str
    source: str
    account: str

    @property
    def known(self) -> dict[str, str]:
        """The values of the condition keys that a service sends along."""
        return {
            "aws:sourcearn": self.source,
            "aws:sourceaccount": self.account,
            "aws:securetransport": "true",
        }


def allows(policy: str, ask: Ask) -> bool:
    """Whether a policy (JSON, "" when there is none) allows it; a Deny outweighs every Allow."""
    document = json.loads(policy) if policy else {}
    found = document.get("Statement", [])
    statements = [found] if isinstance(found, dict) else found
    return {each["Effect"] for each in statements if _speaks_of(each, ask)} == {"Allow"}


def _speaks_of(statement: Mapping[str, Any], ask: Ask) -> bool:
    return (
        _is_about(statement.get("Principal", {}), ask.service)
        and any(fnmatchcase(ask.action.lower(), each.lower()) for each in _listed(statement.get("Action")))
        and any(fnmatchcase(ask.resource, each) for each in _listed(statement.get("Resource")))
        and all(_met(kind, tests, ask) for kind, tests in statement.get("Condition", {}).items())
    )


def _is_about(principal: Any, service: str) -> bool:
    if isinstance(principal, str):
        return principal == "*"
    return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))


def _met(kind: str, tests: Mapping[str, Any], ask: Ask) -> bool:
    """A condition about what is not known is not met, unless it is a negation."""
    unlike = "Not" in kind
    for key, wanted in tests.items():
        seen = ask.known.get(key.lower())
        equal = seen is not None and any(fnmatchcase(seen, str(each).strip()) for each in _listed(wanted))
        if equal == unlike:
            return False
    return True


def _listed(value: Any) -> Iterable[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
