"""EventBridge's own metrics, by rule (EventBridge user guide, eb-monitoring)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.events.store import Rule
    from runbook_lib.sandbox.world import World

NAMESPACE = "AWS/Events"
MINUTE = 60


def count(world: World, rule: Rule, name: str) -> None:
    """One more of TriggeredRules, Invocations, FailedInvocations ..."""
    from runbook_lib.sandbox.services import cloudwatch

    cloudwatch.record(
        world,
        namespace=NAMESPACE,
        name=name,
        dimensions={"RuleName": rule.name},
        minute=int(world.now // MINUTE * MINUTE),
        values=cloudwatch.Histogram.one(1.0),
    )
