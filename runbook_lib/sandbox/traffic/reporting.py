"""What a minute of traffic looks like in CloudWatch: the load balancer's and the services' metrics.

Names, dimensions and units: ELB user guide, load-balancer-cloudwatch-metrics; ECS guide, available-metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, merged
from runbook_lib.sandbox.traffic.modelled import LATE_SHARE, Tally

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import Listener
    from runbook_lib.sandbox.world import World

ELB, ECS = "AWS/ApplicationELB", "AWS/ECS"
REQUESTS_PER_VCPU = 400.0  # a second, at which a small web application is busy: the model's figure, not AWS's


def record(world: World, listener: Listener, minute: int, tally: Tally) -> None:
    """Record the metrics of one closed minute of a load balancer."""
    from runbook_lib.sandbox.services.elbv2 import dimension

    balancer = {"LoadBalancer": dimension(listener.load_balancer)}
    if not tally:
        return
    groups = sorted({outcome.group for outcome in tally})
    _counts(world, balancer, minute, tally)
    _made_by_balancer(world, balancer, minute, tally)
    for group in groups:
        own = {outcome: counts for outcome, counts in tally.items() if outcome.group == group}
        _counts(world, {**balancer, "TargetGroup": dimension(group)}, minute, own)
    for group in _in_use(world, listener.load_balancer):
        _hosts(world, {**balancer, "TargetGroup": dimension(group)}, minute, group)
    _services(world, minute, tally)


def _counts(world: World, dimensions: Mapping[str, str], minute: int, tally: Tally) -> None:
    chosen = {outcome: counts for outcome, counts in tally.items() if outcome.target != "-"}
    by_metric: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for outcome, counts in chosen.items():
        number = int(counts.sum())
        names = ["RequestCount"]
        if outcome.target_status:
            names.append(f"HTTPCode_Target_{outcome.target_status // 100}XX_Count")
        else:
            names.append("TargetConnectionErrorCount")
        # The same requests arrive late in every metric that counts them.
        behind = number // LATE_SHARE if world.settings.late_points else 0
        for name in names:
            by_metric[name] += number - behind
            late[name] += behind
    for name in sorted(by_metric):
        _record(world, ELB, name, dimensions, minute, by_metric[name], late[name])
    times = merged(_seconds(counts) for outcome, counts in chosen.items() if outcome.target_status)
    if times:
        _write(world, ELB, "TargetResponseTime", dimensions, minute, times)


def _made_by_balancer(world: World, balancer: Mapping[str, str], minute: int, tally: Tally) -> None:
    """Answers of the load balancer itself: they have no target group (ELB user guide)."""
    made: Counter[int] = Counter()
    for outcome, counts in tally.items():
        if not outcome.target_status:
            made[outcome.status] += int(counts.sum())
    for status, number in sorted(made.items()):
        _record(world, ELB, f"HTTPCode_ELB_{status}_Count", balancer, minute, number, 0)
    if made:
        _record(world, ELB, "HTTPCode_ELB_5XX_Count", balancer, minute, sum(made.values()), 0)


def _hosts(world: World, dimensions: Mapping[str, str], minute: int, group: str) -> None:
    from runbook_lib.sandbox.services.elbv2 import targets_of

    states = Counter(target.state for target in targets_of(world, group))
    if not states:
        return
    bad = sum(number for state, number in states.items() if state in ("unhealthy", "initial"))
    _write(world, ELB, "HealthyHostCount", dimensions, minute, Histogram.one(float(states["healthy"])))
    _write(world, ELB, "UnHealthyHostCount", dimensions, minute, Histogram.one(float(bad)))


def _services(world: World, minute: int, tally: Tally) -> None:
    """CPU and memory of the services behind the load balancer: from the requests that their tasks answered."""
    from runbook_lib.sandbox.services import ecs

    served: Counter[str] = Counter()
    tasks: dict[str, list[Any]] = {}
    for group in {outcome.group for outcome in tally}:
        for task in ecs.tasks_behind(world, group):
            if task.service:
                tasks.setdefault(task.service, []).append(task)
                served[task.service] += _answered(tally, group, task.ip)
    for service, running in tasks.items():
        cluster, name = service.rpartition("service/")[2].split("/", 1)
        cpu = _cpu(world, running[0]) * len(running)
        busy = min(100.0, 2.0 + 100 * served[service] / 60 / (REQUESTS_PER_VCPU * cpu))
        dimensions = {"ClusterName": cluster, "ServiceName": name}
        _write(world, ECS, "CPUUtilization", dimensions, minute, Histogram.one(round(busy, 2)))
        _write(world, ECS, "MemoryUtilization", dimensions, minute, Histogram.one(35.0))


def _answered(tally: Tally, group: str, ip: str) -> int:
    return sum(
        int(counts.sum())
        for outcome, counts in tally.items()
        if outcome.group == group and outcome.target.rpartition(":")[0] == ip
    )


def _cpu(world: World, task: Any) -> float:
    from runbook_lib.sandbox.services import ecs

    return int(ecs.task_definition(world, task.task_definition_arn).get("cpu") or 256) / 1024


def _in_use(world: World, balancer: str) -> list[str]:
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    actions = [action for listener in elbv2.listeners_of(world, balancer) for action in listener.actions]
    for listener in elbv2.listeners_of(world, balancer):
        actions += [action for rule in elbv2.rules_of(world, listener.arn) for action in rule.actions]
    return sorted(set(elbv2.groups_in(actions)))


def _seconds(counts: Any) -> Histogram:
    used = counts.nonzero()[0]
    return Histogram(tuple(float(ms) / 1000 for ms in used), tuple(float(counts[ms]) for ms in used))


def _record(
    world: World, namespace: str, name: str, dimensions: Mapping[str, str], minute: int, number: int, late: int
) -> None:
    _write(world, namespace, name, dimensions, minute, Histogram.one(1.0, number), Histogram.one(1.0, late))


def _write(
    world: World,
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    minute: int,
    values: Histogram,
    late: Histogram | None = None,
) -> None:
    from runbook_lib.sandbox.services import cloudwatch

    cloudwatch.record(
        world, namespace=namespace, name=name, dimensions=dimensions, minute=minute, values=values, late=late
    )
