"""Minutes of traffic: requests are counted in the open one, and when it ends it becomes metrics and lines of a log."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from runbook_lib.sandbox.traffic import applog, compute, delivery, modelled, reporting
from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import FORWARD, MINUTE, Tally, count, minute_of, observed, store, with_nodes

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import LoadBalancer
    from runbook_lib.sandbox.world import World

Seen = tuple[Record, str, str]  # a request, the zone of its node, and what its rule did


def touch(world: World) -> None:
    """Count the requests since the last change, with what held until now; call it before the change."""
    if world.settings.traffic == "modelled":
        modelled.draw(world)
    _tick(world)


def observe(world: World, load_balancer_arn: str, records: Iterable[Record]) -> None:
    """Count requests that a real load balancer served, in the minutes in which they ended.

    What ended in a minute that is over becomes visible late, as stragglers do on AWS. Raises AwsError for a load
    balancer that does not exist.
    """
    from runbook_lib.sandbox.services import elbv2

    balancer = elbv2.load_balancer(world, load_balancer_arn)
    zones = sorted(balancer.zones)
    by_minute: dict[int, list[Seen]] = {}
    for record in records:
        seen = (record, _node(record, zones), _action(world, record))
        by_minute.setdefault(minute_of(record.ended), []).append(seen)
    for minute, seen_then in sorted(by_minute.items()):
        _count(world, balancer, minute, seen_then)
    _tick(world)


def _count(world: World, balancer: LoadBalancer, minute: int, seen: Sequence[Seen]) -> None:
    tally = observed(seen)
    if minute + MINUTE <= world.now:
        reporting.record_late(world, balancer, minute, tally)
    else:
        known = store(world).open.setdefault((balancer.arn, minute), {})
        for outcome, counts in tally.items():
            count(known, outcome, counts)
    delivery.note_records(world, balancer, seen)


def _node(record: Record, zones: Sequence[str]) -> str:
    """A client stays with the node that its name server gave it."""
    return zones[zlib.crc32(record.client.partition(":")[0].encode()) % len(zones)]


def _action(world: World, record: Record) -> str:
    """What the listener or the rule does with such a request; one that failed before a rule has none."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    if record.group:
        return FORWARD
    known = elbv2.store(world).listeners.get(record.listener)
    if record.rule_priority < 0 or known is None:
        return "-"
    rules = {rule.priority: rule.actions for rule in elbv2.rules_of(world, record.listener)}
    return str(rules.get(record.rule_priority, known.actions)[-1]["Type"])


def close_minute(world: World) -> None:
    """Event: a minute ends; its metrics and its part of the log are written, and the next one begins."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    touch(world)
    kept, minute = store(world), minute_of(world.now) - MINUTE
    ended = sorted(key for key in kept.open if key[1] <= minute)
    tallies: list[Tally] = []
    for arn, at in ended:
        tally, balancer = kept.open.pop((arn, at)), elbv2.store(world).load_balancers.get(arn)
        if balancer is not None:
            tallies.append(_close(world, balancer, at, tally))
    compute.record(world, minute, tallies)
    delivery.close_intervals(world)
    _forget_the_gone(world)
    kept.ticking = False
    _tick(world)


def _close(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> Tally:
    whole = with_nodes(tally, sorted(balancer.zones), modelled.generator(world, f"{balancer.arn}/{minute}/nodes"))
    reporting.record(world, balancer, minute, whole)
    if world.settings.traffic == "modelled":
        delivery.note_minute(world, balancer, minute, whole)
        applog.write(world, minute, whole)
    return whole


def _forget_the_gone(world: World) -> None:
    kept, serving = store(world), {listener.load_balancer for listener in modelled.production(world)}
    for arn in set(kept.drawn) - serving:
        kept.drawn.pop(arn)


def _tick(world: World) -> None:
    """Let the minute be closed, as long as there is something to measure or a log to write."""
    kept = store(world)
    if kept.ticking or not (kept.drawn or kept.open or kept.intervals or compute.services(world)):
        return
    kept.ticking = True
    world.at(float(minute_of(world.now) + MINUTE), "traffic.close_minute", background=True)
