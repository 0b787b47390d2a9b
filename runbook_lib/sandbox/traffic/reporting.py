"""What a minute of traffic looks like in CloudWatch: the load balancer's metrics, each with all its dimensions.

Names, dimensions, units and when each is reported: ELB user guide, load-balancer-cloudwatch-metrics. Without requests
nothing is sent. Left out, because neither the model nor the log of a load balancer can say it: connections, processed
bytes, load balancer capacity units, rule evaluations, TLS errors, anomalous hosts; and the states of zones
(HealthyStateDNS ...), of which the guide does not say when they are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram
from runbook_lib.sandbox.traffic.tally import LONGEST, Outcome, Tally, number, summed

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import LoadBalancer, Target
    from runbook_lib.sandbox.world import World

ELB = "AWS/ApplicationELB"
LATE_SHARE = 50  # one request in so many arrives late in the metrics
OWN_CODES = (500, 502, 503, 504)  # those of the load balancer's own answers that have a metric each
UNITS = {"TargetResponseTime": "Seconds"}  # all others count
MADE_BY_BALANCER = {"redirect": "HTTP_Redirect_Count", "fixed-response": "HTTP_Fixed_Response_Count"}
Dimensions = Mapping[str, str]


def record(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> None:
    """Record a minute of a load balancer that has just ended."""
    if not tally:
        return
    for dimensions, part in _cuts(balancer, tally):
        _requests(world, dimensions, minute, part, late=False)
        if "TargetGroup" not in dimensions:
            _own_answers(world, dimensions, minute, part, late=False)
    for group in _in_use(world, balancer.arn):
        _hosts(world, balancer, minute, group)
    _per_target(world, balancer, minute, tally)


def record_late(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> None:
    """Record requests of a minute that was over when they became known; its hosts have been counted."""
    for dimensions, part in _cuts(balancer, tally):
        _requests(world, dimensions, minute, part, late=True)
        if "TargetGroup" not in dimensions:
            _own_answers(world, dimensions, minute, part, late=True)


def _cuts(balancer: LoadBalancer, tally: Tally) -> Iterator[tuple[Dimensions, Tally]]:
    """The tally by each set of dimensions: the load balancer, its nodes, its groups, and groups by node."""
    from runbook_lib.sandbox.services.elbv2 import dimension

    whole = {"LoadBalancer": dimension(balancer.arn)}
    yield whole, tally
    for zone, part in _by(tally, "node").items():
        yield {**whole, "AvailabilityZone": zone}, part
    for group, part in _by(tally, "group").items():
        named = {**whole, "TargetGroup": dimension(group)}
        yield named, part
        for zone, smaller in _by(part, "node").items():
            yield {**named, "AvailabilityZone": zone}, smaller


def _by(tally: Tally, field: str) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for outcome, counts in tally.items():
        found.setdefault(getattr(outcome, field), {})[outcome] = counts
    return {value: found[value] for value in sorted(found) if value}


def _requests(world: World, dimensions: Dimensions, minute: int, tally: Tally, *, late: bool) -> None:
    """Requests for which a target could be chosen, and what the targets made of them."""
    chosen = {outcome: counts for outcome, counts in tally.items() if outcome.target != "-"}
    on_time: Counter[str] = Counter()
    behind: Counter[str] = Counter()
    for outcome, counts in chosen.items():
        many = int(counts.sum())
        # The same requests arrive late in every metric that counts them.
        straggling = many if late else many // LATE_SHARE if world.settings.late_points else 0
        for name in ("RequestCount", *_of_target(outcome)):
            on_time[name] += many - straggling
            behind[name] += straggling
    for name in sorted(on_time):
        _write(world, name, dimensions, minute, _ones(on_time[name]), _ones(behind[name]))
    times = _seconds({outcome: counts for outcome, counts in chosen.items() if outcome.target_status})
    if times:
        now, then = (Histogram(), times) if late else (times, Histogram())
        _write(world, "TargetResponseTime", dimensions, minute, now, then)


def _of_target(outcome: Outcome) -> tuple[str, ...]:
    """The metric of a target's answer; with a 502 the connection to it failed, a 504 was too slow for one."""
    if outcome.target_status:
        return (f"HTTPCode_Target_{outcome.target_status // 100}XX_Count",)
    return ("TargetConnectionErrorCount",) if outcome.status == 502 else ()


def _own_answers(world: World, dimensions: Dimensions, minute: int, tally: Tally, *, late: bool) -> None:
    """Answers of the load balancer itself: they have no target group."""
    made: Counter[str] = Counter()
    for outcome, counts in tally.items():
        if not outcome.target_status:
            for name in _of_balancer(outcome):
                made[name] += int(counts.sum())
    for name, many in sorted(made.items()):
        now, then = (0, many) if late else (many, 0)
        _write(world, name, dimensions, minute, _ones(now), _ones(then))


def _of_balancer(outcome: Outcome) -> list[str]:
    family = outcome.status // 100
    names = [f"HTTPCode_ELB_{family}XX_Count"] if family in (3, 4, 5) else []
    names += [f"HTTPCode_ELB_{outcome.status}_Count"] if outcome.status in OWN_CODES else []
    return names + ([MADE_BY_BALANCER[outcome.action]] if outcome.action in MADE_BY_BALANCER else [])


def _hosts(world: World, balancer: LoadBalancer, minute: int, group: str) -> None:
    """Healthy and unhealthy targets: every node of the load balancer reports what it sees."""
    from runbook_lib.sandbox.services.elbv2 import dimension, targets_of

    known, nodes = targets_of(world, group), len(balancer.zones)
    named = {"LoadBalancer": dimension(balancer.arn), "TargetGroup": dimension(group)}
    zones = sorted({target.zone for target in known})
    for dimensions, seen, reports in (
        (named, known, nodes),
        *(({**named, "AvailabilityZone": zone}, [t for t in known if t.zone == zone], 1) for zone in zones),
    ):
        bad = sum(target.state in ("unhealthy", "initial") for target in seen)
        if seen:
            _write(world, "HealthyHostCount", dimensions, minute, Histogram.one(float(_healthy(seen)), reports))
            _write(world, "UnHealthyHostCount", dimensions, minute, Histogram.one(float(bad), reports))


def _healthy(targets: Sequence[Target]) -> int:
    return sum(target.state == "healthy" for target in targets)


def _per_target(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> None:
    """Requests by healthy target, or by registered one where none is healthy: an average, read by its Sum."""
    from runbook_lib.sandbox.services.elbv2 import dimension, targets_of

    for group, part in _by(tally, "group").items():
        known = targets_of(world, group)
        hosts = _healthy(known) or len(known)
        if not hosts:
            continue
        of_group, whole = {"TargetGroup": dimension(group)}, {"LoadBalancer": dimension(balancer.arn)}
        for zone, smaller in (("", part), *_by(part, "node").items()):
            where = {**of_group, **({"AvailabilityZone": zone} if zone else {})}
            value = Histogram.one(number(smaller) / hosts)
            _write(world, "RequestCountPerTarget", where, minute, value)
            _write(world, "RequestCountPerTarget", {**where, **whole}, minute, value)


def _in_use(world: World, balancer: str) -> list[str]:
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    actions = [action for listener in elbv2.listeners_of(world, balancer) for action in listener.actions]
    for listener in elbv2.listeners_of(world, balancer):
        actions += [action for rule in elbv2.rules_of(world, listener.arn) for action in rule.actions]
    return sorted(set(elbv2.groups_in(actions)))


@cache
def _table() -> tuple[float, ...]:
    """Milliseconds as seconds: the same number objects for every minute, or a long world would be large."""
    return tuple(ms / 1000 for ms in range(LONGEST + 1))


def _seconds(tally: Tally) -> Histogram:
    counts = summed(tally.values())
    if counts is None:
        return Histogram()
    used, table = counts.nonzero()[0].tolist(), _table()
    return Histogram(tuple(table[ms] for ms in used), tuple(counts[used].tolist()))


def _ones(many: int) -> Histogram:
    """Every request reports a 1: Minimum, Maximum and Average are 1, Sum counts."""
    return Histogram.one(1.0, many)


def _write(
    world: World, name: str, dimensions: Dimensions, minute: int, values: Histogram, late: Histogram | None = None
) -> None:
    from runbook_lib.sandbox.services import cloudwatch

    unit = UNITS.get(name, "Count")
    cloudwatch.record(
        world, namespace=ELB, name=name, dimensions=dimensions, minute=minute, values=values, late=late, unit=unit
    )
