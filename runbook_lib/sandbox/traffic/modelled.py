"""Modelled traffic: requests, latencies and errors drawn from a seeded model of the versions that serve.

Nothing is drawn by looking: a stretch of time is drawn when something changes that matters (weights, targets,
tasks) and at the end of every minute.  So the numbers do not depend on how often somebody asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import disturbance
from runbook_lib.sandbox.traffic.behaviour import Behaviour
from runbook_lib.sandbox.traffic.synthesis import SHARES
from runbook_lib.sandbox.traffic.tally import LONGEST, Outcome, Tally, count, minute_of, none_answered, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import Listener
    from runbook_lib.sandbox.world import World


def draw(world: World) -> None:
    """Draw the requests since the last change, of every load balancer that users come through."""
    kept = store(world)
    for listener in production(world):
        since = kept.drawn.setdefault(listener.load_balancer, world.now)
        if world.now > since:
            tally = kept.open.setdefault((listener.load_balancer, minute_of(since)), {})
            _draw(world, tally, listener, since, world.now)
            kept.drawn[listener.load_balancer] = world.now


def send(world: World, listener_arn: str, many: int) -> list[tuple[int, int]]:
    """Send probes through a listener: (status code, milliseconds) of each; they are not part of the metrics."""
    from runbook_lib.sandbox.services import elbv2

    tally: Tally = {}
    listener = elbv2.listener(world, listener_arn)
    _spread(world, tally, listener, many, world.now, generator(world, f"probe/{listener_arn}/{world.now}"))
    return [
        (outcome.status, int(ms))
        for outcome, counts in tally.items()
        for ms in counts.nonzero()[0]
        for _ in range(int(counts[ms]))
    ]


def reach(world: World, weights: Mapping[str, int], path: str) -> Outcome | None:
    """What comes of one request for a path that is forwarded to groups by weight; None when none has any."""
    used = {group: weight for group, weight in weights.items() if weight}
    if not used:
        return None
    numbers = generator(world, f"reach/{world.ids.number('reach')}")
    chosen = numbers.choice(len(used), p=[weight / sum(used.values()) for weight in used.values()])
    tally: Tally = {}
    _to_group(world, tally, list(used)[int(chosen)], 1, world.now, numbers, path)
    return next(outcome for outcome, counts in tally.items() if counts.sum())


def production(world: World) -> list[Listener]:
    """The listener of each active load balancer that users come through: its lowest port that forwards."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    known = elbv2.store(world)
    first: dict[str, Listener] = {}
    for listener in sorted(known.listeners.values(), key=lambda one: one.port):
        active = known.load_balancers[listener.load_balancer].active_at <= world.now
        if active and elbv2.groups_in(listener.actions):
            first.setdefault(listener.load_balancer, listener)
    return list(first.values())


def _draw(world: World, tally: Tally, listener: Listener, since: float, until: float) -> None:
    numbers = generator(world, f"{listener.load_balancer}/{since}/{until}")
    rate = world.settings.requests_per_second * disturbance.now(world, since).requests_factor
    many = int(numbers.poisson(rate * (until - since)))
    _spread(world, tally, listener, many, since, numbers)


def _spread(world: World, tally: Tally, listener: Listener, many: int, moment: float, numbers: Any) -> None:
    from runbook_lib.sandbox.services import elbv2

    weights = {group: weight for group, weight in elbv2.weights(world, listener.arn).items() if weight}
    if not weights or not many:
        return
    total = sum(weights.values())
    shares = numbers.multinomial(many, [weight / total for weight in weights.values()])
    for group, share in zip(weights, shares, strict=True):
        _to_group(world, tally, group, int(share), moment, numbers)


def _to_group(
    world: World, tally: Tally, group: str, many: int, moment: float, numbers: Any, path: str | None = None
) -> None:
    from runbook_lib.sandbox.services import ecs
    from runbook_lib.sandbox.services.elbv2 import targets_of

    if not many:
        return
    known = [target for target in targets_of(world, group) if target.state not in ("draining", "unused")]
    serving = [target for target in known if target.state == "healthy"] or known  # the load balancer fails open
    if not serving:
        count(tally, Outcome(group, "-", 503, 0), none_answered(many))
        return
    tasks = {task.ip: task for task in ecs.tasks_behind(world, group)}
    each = numbers.multinomial(many, [1 / len(serving)] * len(serving))
    for target, share in zip(serving, each, strict=True):
        task = tasks.get(target.id)
        since = task.answers_from if task else None
        name = f"{target.id}:{target.port}"
        if task is None or since is None or since > world.now:
            count(tally, Outcome(group, name, 502, 0), none_answered(int(share)))
        else:
            age = (world.now - since) / 60
            behaviour = _asked_for(path, Behaviour.of(task.environment).aged(age))
            behaviour = disturbance.now(world, moment).felt_by(behaviour)
            _answer(tally, group, name, behaviour, int(share), numbers)


def _asked_for(path: str | None, behaviour: Behaviour) -> Behaviour:
    """How a version behaves towards requests for a path (None: for all paths, as users ask for them)."""
    if not behaviour.error_path:
        return behaviour
    share = SHARES.get(behaviour.error_path, 0.0) if path is None else float(path == behaviour.error_path)
    return replace(behaviour, error_rate=behaviour.error_rate * share)


def _answer(tally: Tally, group: str, target: str, behaviour: Behaviour, many: int, numbers: Any) -> None:
    import numpy

    failed = int(numbers.binomial(many, behaviour.error_rate))
    for status, share in ((500, failed), (200, many - failed)):
        if share:
            times = numbers.lognormal(numpy.log(max(behaviour.latency_ms, 0.001)), behaviour.latency_sigma, share)
            counts = numpy.bincount(numpy.minimum(numpy.rint(times), LONGEST).astype(int))
            path = behaviour.error_path if status != 200 else ""
            count(tally, Outcome(group, target, status, status, path=path), counts)


def generator(world: World, what: str) -> Any:
    """A generator of numbers of its own for a purpose: the same seed and purpose give the same numbers."""
    import numpy

    digest = hashlib.sha256(f"{world.settings.seed}/{what}".encode()).digest()
    return numpy.random.default_rng(int.from_bytes(digest[:16], "big"))
