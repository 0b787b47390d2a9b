"""Rules that run on a schedule: rate(5 minutes); cron expressions are not simulated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import bus
from runbook_lib.sandbox.services.events.store import Rule, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def seconds(expression: str) -> float:
    """The time between two events of a schedule."""
    found = RATE.fullmatch(expression)
    if found is None or (found.group(1) == "1") == bool(found.group(3)):
        more = " Cron expressions are not simulated." if expression.startswith("cron(") else ""
        raise AwsError("ValidationException", f"Parameter ScheduleExpression is not valid.{more}")
    return float(int(found.group(1)) * UNITS[found.group(2)])


def begin(world: World, rule: Rule) -> None:
    """Count anew from now; a rule without a schedule counts nothing."""
    rule.since += 1
    if "ScheduleExpression" in rule.told:
        _next(world, rule)


def _next(world: World, rule: Rule) -> None:
    # In the background: that a schedule goes on for ever is nothing to wait for.
    after = seconds(rule.told["ScheduleExpression"])
    world.after(after, "events.tick", rule.arn, rule.since, background=True)


def tick(world: World, arn: str, since: int) -> None:
    """The time of a schedule has come."""
    rule = next((one for one in store(world).rules.values() if (one.arn, one.since) == (arn, since)), None)
    if rule is None:
        return
    _next(world, rule)
    if rule.enabled:
        event = bus.event(world, source="aws.events", detail_type="Scheduled Event", resources=[rule.arn], detail={})
        bus.tell(world, rule, event)
