"""What EventBridge knows: the rules of the default bus with their targets, and the events that came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BUS = "default"


@dataclass
class Rule:
    """A rule: what it takes and whom it tells; `since` tells schedules apart that had the same name."""

    name: str
    arn: str
    told: dict[str, Any]
    enabled: bool = True
    since: int = 0
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class EventsStore:
    """Rules by name, and every event that was emitted."""

    rules: dict[str, Rule] = field(default_factory=dict)
    emitted: list[dict[str, Any]] = field(default_factory=list)


def store(world: World) -> EventsStore:
    """The world's own."""
    found: EventsStore = world.store("events")
    return found


def rule_of(call: Call, key: str = "Name") -> Rule:
    """The rule that a call names."""
    check_bus(call)
    name = call.params[key]
    if name not in store(call.world).rules:
        raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {BUS}.")
    return store(call.world).rules[name]


def rule_by_arn(call: Call) -> Rule:
    """The rule that a call names by its ARN."""
    wanted = call.params["ResourceARN"]
    for rule in store(call.world).rules.values():
        if rule.arn == wanted:
            return rule
    raise AwsError("ResourceNotFoundException", f"Rule {wanted.rpartition('/')[2]} does not exist on EventBus {BUS}.")


def check_bus(call: Call) -> None:
    """Only the default bus is there, by its name or its ARN."""
    wanted = call.params.get("EventBusName", BUS)
    if wanted.rpartition("/")[2] != BUS:
        raise AwsError("ResourceNotFoundException", f"Event bus {wanted} does not exist.")
