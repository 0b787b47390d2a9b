"""The EventBridge rule that starts the pipeline on a push."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.step import Made, Step
from runbook_lib.system import System, tag_list


def plan_rule(system: System, rule: Rule | None, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that start the pipeline on a push: neither creating nor updating a pipeline makes this rule."""
    pattern = _pattern(system)
    made = make(
        "pipeline.rule",
        "Start the pipeline on a push",
        "events:put_rule",
        {
            "Name": system.rule,
            "EventPattern": json.dumps(pattern),
            "State": "ENABLED",
            "Tags": tag_list(system.tags),
        },
        made=Made("events:rule", system.rule),
        found={"RuleArn": rule.arn} if rule else None,
        items=items,
    )
    target = {"Id": "pipeline", "Arn": _pipeline_arn(system), "RoleArn": system.role_arn("events")}
    return made, change(
        "pipeline.rule.target",
        "Let the rule start the pipeline",
        "events:put_targets",
        {"Rule": system.rule, "Targets": [target]},
        touches=system.rule,
        needed=None if rule and target["Arn"] in rule.targets else "a rule without a target does nothing",
        undo="deleted by 90_tear_down",
    )


@dataclass(frozen=True)
class Rule:
    """The EventBridge rule that starts the pipeline."""

    arn: str
    pattern: dict[str, Any]
    targets: tuple[str, ...]


def read_rule(account: Account, system: System) -> Rule | None:
    """The rule that starts the pipeline, None while it does not exist."""
    client = account.client("events")
    try:
        found = client.describe_rule(Name=system.rule)
    except client.exceptions.ResourceNotFoundException:
        return None
    targets = client.list_targets_by_rule(Rule=system.rule)["Targets"]
    return Rule(found["Arn"], json.loads(found["EventPattern"]), tuple(target["Arn"] for target in targets))


def _pattern(system: System) -> dict[str, Any]:
    return {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [system.arn("codecommit", system.repository)],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": [system.branch],
        },
    }


def _pipeline_arn(system: System) -> str:
    return system.arn("codepipeline", system.pipeline)
