"""The sizes that Fargate offers: Amazon ECS developer guide, "Invalid CPU or memory value" (task-cpu-memory-error)."""

from __future__ import annotations

import re
from decimal import Decimal

_GB = 1024
_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, _GB, 2 * _GB),
    512: tuple(range(_GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
    32768: (60 * _GB, 120 * _GB, 244 * _GB),
}
_CPU = re.compile(r"(\d+)|(\d*\.?\d+)\s*vcpu", re.IGNORECASE)
_MEMORY = re.compile(r"(\d+)|(\d*\.?\d+)\s*gb", re.IGNORECASE)


def cpu_units(written: str) -> int | None:
    """CPU units of "512" or "0.5 vCPU"; None for anything else."""
    return _figure(_CPU, written)


def memory_mib(written: str) -> int | None:
    """MiB of "2048" or "2 GB"; None for anything else."""
    return _figure(_MEMORY, written)


def memory_for(cpu: int) -> tuple[int, ...]:
    """The MiB that Fargate offers with so many CPU units; none when it has no such size."""
    return _SIZES.get(cpu, ())


def all_cpu() -> tuple[int, ...]:
    return tuple(_SIZES)


def _figure(pattern: re.Pattern[str], written: str) -> int | None:
    found = pattern.fullmatch(written.strip()[:20])
    if not found:
        return None
    return int(found[1]) if found[1] else int(Decimal(found[2]) * _GB)
