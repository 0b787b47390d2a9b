"""Modelled traffic: requests, latencies and errors drawn from a seeded model of the versions that serve.

Nothing is drawn by looking: a stretch of time is drawn when something changes that matters (weights, targets,
tasks) and at the end of every minute.  So the numbers do not depend on how often somebody asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.traffic.behaviour import Behaviour

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import Listener
    from runbook_lib.sandbox.world import World

MINUTE = 60
LONGEST = 30_000  # milliseconds: slower answers are counted as that
LATE_SHARE = 50  # one request in so many arrives late in the metrics


@dataclass(frozen=True)
class Outcome:
    """What came of requests: to which group and target, and who answered with which status; 0: nobody did."""

    group: str  # ARN
    target: str  # "ip:port", "-" when the load balancer had none
    status: int  # what the client got
    target_status: int  # what the target answered, 0 when it did not


Tally = dict[Outcome, Any]  # outcome -> counts by millisecond (numpy array)


@dataclass
class TrafficStore:
    """Per load balancer: up to when requests are drawn, the open minute, and the closed ones for an access log."""

    drawn: dict[str, float] = field(default_factory=dict)
    open: dict[str, Tally] = field(default_factory=dict)
    closed: dict[tuple[str, int], Tally] = field(default_factory=dict)
    ticking: bool = False


def touch(world: World) -> None:
    """Draw the requests since the last change, with what held until now; call it before the change."""
    store: TrafficStore = world.store("traffic")
    for listener in _production(world):
        since = store.drawn.setdefault(listener.load_balancer, world.now)
        if world.now > since and world.settings.traffic == "modelled":
            _draw(world, store, listener, since, world.now)
            store.drawn[listener.load_balancer] = world.now
    if not store.ticking and store.drawn:
        store.ticking = True
        world.at((world.now // MINUTE + 1) * MINUTE, "traffic.close_minute", background=True)


def close_minute(world: World) -> None:
    """End a minute: its metrics are recorded, and the next one begins."""
    from runbook_lib.sandbox.traffic import reporting

    touch(world)
    store: TrafficStore = world.store("traffic")
    minute = int(world.now) - MINUTE
    for listener in _production(world):
        tally = store.open.pop(listener.load_balancer, {})
        store.closed[listener.load_balancer, minute] = tally
        reporting.record(world, listener, minute, tally)
    gone = set(store.drawn) - {listener.load_balancer for listener in _production(world)}
    for balancer in gone:
        store.drawn.pop(balancer)
        store.open.pop(balancer, None)
    store.ticking = bool(store.drawn)
    if store.ticking:
        world.after(MINUTE, "traffic.close_minute", background=True)


def send(world: World, listener_arn: str, count: int) -> list[tuple[int, int]]:
    """Send probes through a listener: (status code, milliseconds) of each; they are not part of the metrics."""
    from runbook_lib.sandbox.services import elbv2

    tally: Tally = {}
    listener = elbv2.listener(world, listener_arn)
    _spread(world, tally, listener, count, _generator(world, f"probe/{listener_arn}/{world.now}"))
    return [
        (outcome.status, int(ms))
        for outcome, counts in tally.items()
        for ms in counts.nonzero()[0]
        for _ in range(int(counts[ms]))
    ]


def _production(world: World) -> list[Listener]:
    """The listener of each active load balancer that users come through: its lowest port that forwards."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    known = elbv2.store(world)
    first: dict[str, Listener] = {}
    for listener in sorted(known.listeners.values(), key=lambda one: one.port):
        active = known.load_balancers[listener.load_balancer].active_at <= world.now
        if active and elbv2.groups_in(listener.actions):
            first.setdefault(listener.load_balancer, listener)
    return list(first.values())


def _draw(world: World, store: TrafficStore, listener: Listener, since: float, until: float) -> None:
    numbers = _generator(world, f"{listener.load_balancer}/{since}/{until}")
    count = int(numbers.poisson(world.settings.requests_per_second * (until - since)))
    _spread(world, store.open.setdefault(listener.load_balancer, {}), listener, count, numbers)


def _spread(world: World, tally: Tally, listener: Listener, count: int, numbers: Any) -> None:
    from runbook_lib.sandbox.services import elbv2

    weights = {group: weight for group, weight in elbv2.weights(world, listener.arn).items() if weight}
    if not weights or not count:
        return
    total = sum(weights.values())
    shares = numbers.multinomial(count, [weight / total for weight in weights.values()])
    for group, share in zip(weights, shares, strict=True):
        _to_group(world, tally, group, int(share), numbers)


def _to_group(world: World, tally: Tally, group: str, count: int, numbers: Any) -> None:
    from runbook_lib.sandbox.services import ecs
    from runbook_lib.sandbox.services.elbv2 import targets_of

    if not count:
        return
    known = [target for target in targets_of(world, group) if target.state not in ("draining", "unused")]
    serving = [target for target in known if target.state == "healthy"] or known  # the load balancer fails open
    if not serving:
        _count(tally, Outcome(group, "-", 503, 0), _none(count))
        return
    tasks = {task.ip: task for task in ecs.tasks_behind(world, group)}
    each = numbers.multinomial(count, [1 / len(serving)] * len(serving))
    for target, share in zip(serving, each, strict=True):
        task = tasks.get(target.id)
        listening = task is not None and task.answers_from is not None and task.answers_from <= world.now
        name = f"{target.id}:{target.port}"
        if task is None or not listening:
            _count(tally, Outcome(group, name, 502, 0), _none(int(share)))
        else:
            _answer(tally, group, name, Behaviour.of(task.environment), int(share), numbers)


def _answer(tally: Tally, group: str, target: str, behaviour: Behaviour, count: int, numbers: Any) -> None:
    import numpy

    failed = int(numbers.binomial(count, behaviour.error_rate))
    for status, share in ((500, failed), (200, count - failed)):
        if share:
            times = numbers.lognormal(numpy.log(max(behaviour.latency_ms, 0.001)), behaviour.latency_sigma, share)
            counts = numpy.bincount(numpy.minimum(numpy.rint(times), LONGEST).astype(int))
            _count(tally, Outcome(group, target, status, status), counts)


def _count(tally: Tally, outcome: Outcome, counts: Any) -> None:
    import numpy

    known = tally.get(outcome)
    if known is None:
        tally[outcome] = counts
        return
    longer, shorter = (known, counts) if len(known) >= len(counts) else (counts, known)
    summed = numpy.array(longer)
    summed[: len(shorter)] += shorter
    tally[outcome] = summed


def _none(count: int) -> Any:
    import numpy

    return numpy.array([count])


def _generator(world: World, what: str) -> Any:
    import numpy

    digest = hashlib.sha256(f"{world.settings.seed}/{what}".encode()).digest()
    return numpy.random.default_rng(int.from_bytes(digest[:16], "big"))


STORE = TrafficStore
HANDLERS: Mapping[str, Callable[..., None]] = {"traffic.close_minute": close_minute}
