"""What else there is to list: the kinds of actions that run here, and what no pipeline of the sandbox can have.

Rules and webhooks are refused where they would be made, so that there are none of them is the truth. Source:
CodePipeline API reference, ListActionTypes, ListRuleExecutions and ListWebhooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline.providers import PROVIDERS, Provider
from runbook_lib.sandbox.services.codepipeline.store import pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call


def action_types(call: Call) -> dict[str, Any]:
    """ListActionTypes: all of them are AWS's own."""
    if call.params.get("actionOwnerFilter", "AWS") != "AWS":
        return {"actionTypes": []}
    return {"actionTypes": [_shown(category, name, one) for (category, name), one in sorted(PROVIDERS.items())]}


def _shown(category: str, name: str, provider: Provider) -> dict[str, Any]:
    properties = [(key, True) for key in provider.required] + [(key, False) for key in provider.optional]
    return {
        "id": {"category": category, "owner": "AWS", "provider": name, "version": "1"},
        "settings": {},
        "actionConfigurationProperties": [
            {"name": key, "required": required, "key": required, "secret": False} for key, required in properties
        ],
        "inputArtifactDetails": _counts(provider.inputs),
        "outputArtifactDetails": _counts(provider.outputs),
    }


def _counts(bounds: tuple[int, int]) -> dict[str, int]:
    return {"minimumCount": bounds[0], "maximumCount": bounds[1]}


def rule_executions(call: Call) -> dict[str, Any]:
    """ListRuleExecutions of a pipeline."""
    pipeline(call.world, call.params["pipelineName"])
    return {"ruleExecutionDetails": []}


def webhooks(call: Call) -> dict[str, Any]:
    """ListWebhooks."""
    return {"webhooks": []}


OPERATIONS = {"ListActionTypes": action_types, "ListRuleExecutions": rule_executions, "ListWebhooks": webhooks}
