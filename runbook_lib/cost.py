"""What things cost a month, from prices that are parameters with their date."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.system import System

HOURS = 730  # a month, as AWS's calculator counts it


@dataclass(frozen=True)
class Cost:
    """One position of the monthly bill, in USD."""

    what: str
    usd: float


def tasks(
    system: System, count: float, hours: float = HOURS, *, cpu: int | None = None, memory: int | None = None
) -> float:
    """What that many tasks cost in so many hours, in USD: Fargate bills virtual CPUs and memory.

    `cpu` (units) and `memory` (MiB) are those of the parameters unless another size is asked for.
    """
    prices, size = system.params.prices, system.params.service
    vcpus, gigabytes = (cpu or int(size.cpu)) / 1024, (memory or int(size.memory)) / 1024
    each = vcpus * prices.fargate_vcpu_hour + gigabytes * prices.fargate_gb_hour
    address = prices.public_ipv4_hour if system.params.network.egress == "public_ip" else 0.0
    return count * hours * (each + address)


def provision(system: System) -> tuple[Cost, ...]:
    """The monthly bill of the world that 10_provision makes, traffic and storage aside."""
    prices, zones = system.params.prices, system.params.network.zones
    positions = [
        Cost(f"{system.params.service.desired_count} tasks", tasks(system, system.params.service.desired_count)),
        Cost("load balancer, without its capacity units", HOURS * prices.balancer_hour),
        Cost(f"{zones} addresses of the load balancer", HOURS * zones * prices.public_ipv4_hour),
        Cost("pipeline", prices.pipeline_month),
        Cost("alarm", prices.alarm_month),
    ]
    if system.params.network.egress == "nat":
        positions.append(Cost("NAT gateway with its address", HOURS * (prices.nat_hour + prices.public_ipv4_hour)))
    return tuple(positions)


def move(system: System, count: int) -> tuple[Cost, ...]:
    """What the second service adds a month while both stand, and the alarms of the release."""
    return (
        Cost(f"{count} tasks of the second service, until the rolling one goes", tasks(system, count)),
        Cost("2 alarms", 2 * system.params.prices.alarm_month),
    )


def total(costs: tuple[Cost, ...]) -> float:
    """The sum in USD, rounded to cents."""
    return round(sum(cost.usd for cost in costs), 2)
