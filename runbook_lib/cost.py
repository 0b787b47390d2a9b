"""What things cost a month, from prices that are parameters with their date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib import service
from runbook_lib.account import Account
from runbook_lib.documents.taskdef import fargate
from runbook_lib.system import System

HOURS = 730  # a month, as AWS's calculator counts it
ARM = "ARM64"
SMALL = 0.001  # USD: below it digits tell nobody anything


@dataclass(frozen=True)
class Cost:
    """One position of the monthly bill, in USD."""

    what: str
    usd: float


@dataclass(frozen=True)
class TaskSize:
    """What Fargate bills of a task: CPU units, MiB of memory, and which of its two price lists is for the processor."""

    cpu_units: int
    memory_mib: int
    arm: bool = False

    def __str__(self) -> str:
        return f"{self.cpu_units} CPU units, {self.memory_mib} MiB{', ARM' if self.arm else ''}"


def of_parameters(system: System) -> TaskSize:
    """The size that the parameters give a task; they do not say for which processor it is."""
    size = system.params.service
    return TaskSize(fargate.cpu_units(size.cpu) or 0, fargate.memory_mib(size.memory) or 0)


def of_definition(definition: Mapping[str, Any]) -> TaskSize | None:
    """The size in a task definition, None where it names none (as tasks on EC2 need not)."""
    cpu, memory = (str(definition.get(name, "")) for name in ("cpu", "memory"))
    units, mib = fargate.cpu_units(cpu), fargate.memory_mib(memory)
    arm = definition.get("runtimePlatform", {}).get("cpuArchitecture") == ARM
    return TaskSize(units, mib, arm) if units and mib else None


def read_size(account: Account, revision: str) -> TaskSize | None:
    """The size of a revision: one call."""
    return of_definition(service.read_task_definition(account, revision)["taskDefinition"])


def tasks(system: System, count: float, hours: float = HOURS, *, size: TaskSize | None = None) -> float:
    """What that many tasks cost in so many hours, in USD: Fargate bills virtual CPUs and memory.

    `size` is that of the parameters unless another one is given.
    """
    prices, size = system.params.prices, size or of_parameters(system)
    vcpu, gigabyte = (
        (prices.fargate_arm_vcpu_hour, prices.fargate_arm_gb_hour)
        if size.arm
        else (prices.fargate_vcpu_hour, prices.fargate_gb_hour)
    )
    each = size.cpu_units / 1024 * vcpu + size.memory_mib / 1024 * gigabyte
    address = prices.public_ipv4_hour if _addressed(system) else 0.0
    return count * hours * (each + address)


def basis(system: System, size: TaskSize) -> str:
    """By which prices `tasks` reckons, and that it holds an address of each task, where each has a public one."""
    addresses = ", a public IPv4 address for each task included" if _addressed(system) else ""
    return f"the prices of {system.params.prices.as_of} for {'ARM' if size.arm else 'x86'}{addresses}"


def _addressed(system: System) -> bool:
    return system.params.network.egress == "public_ip"


def usd(amount: float) -> str:
    """An amount for people: cents, and tenths of them where it is less than a dollar."""
    if 0 < amount < SMALL:
        return f"less than {SMALL:g} USD"
    return f"{amount:.3f} USD" if 0 < amount < 1 else f"{amount:.2f} USD"


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
