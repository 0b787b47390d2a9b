"""Rules that run on a schedule: a rate or a cron expression (EventBridge user guide, eb-create-rule-schedule)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.events import bus, cron
from runbook_lib.sandbox.services.events.store import Rule, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def check(expression: str) -> None:
    """Refuse what is no schedule."""
    if expression.startswith("cron("):
        cron.read(expression)
    else:
        _seconds(expression)


def _seconds(expression: str) -> float:
    """The time between two events of a rate."""
    found = RATE.fullmatch(expression)
    if found is None or (found.group(1) == "1") == bool(found.group(3)):
        raise cron.INVALID
    return float(int(found.group(1)) * UNITS[found.group(2)])


def begin(world: World, rule: Rule) -> None:
    """Count anew from now; a rule without a schedule counts nothing."""
    rule.since += 1
    if "ScheduleExpression" in rule.told:
        _next(world, rule)


def _next(world: World, rule: Rule) -> None:
    # In the background: that a schedule goes on for ever is nothing to wait for.
    expression = rule.told["ScheduleExpression"]
    if not expression.startswith("cron("):
        world.after(_seconds(expression), "events.tick", rule.arn, rule.since, background=True)
        return
    moment = cron.following(cron.read(expression), world.datetime())
    if moment is not None:
        world.at(moment.timestamp(), "events.tick", rule.arn, rule.since, background=True)


def tick(world: World, arn: str, since: int) -> None:
    """The time of a schedule has come."""
    rule = next((one for one in store(world).rules.values() if (one.arn, one.since) == (arn, since)), None)
    if rule is None:
        return
    _next(world, rule)
    if rule.enabled:
        event = bus.event(world, source="aws.events", detail_type="Scheduled Event", resources=[rule.arn], detail={})
        bus.tell(world, rule, event)
