"""The table of what the sandbox answers where an emulator falls short.

A row is data (tests/cases/fidelity/SERVICE.yaml): what AWS does, how the sandbox stands to that, and a probe that
shows it (tests/sandbox/fidelity_stage.py). A row of state `refused` names operations instead; each must answer 501 with
its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from botocore.session import Session

TABLE = Path(__file__).parent / "cases" / "fidelity"
STATES = {
    "behaves": "behaves as AWS does",
    "moto": "moto's answer is right",
    "approximated": "approximated",
    "refused": "refused with 501",
}


@dataclass(frozen=True)
class Row:
    """One line of the table; `how` says what differs, for an approximation only."""

    service: str
    calls: tuple[str, ...]
    aws: str
    state: str
    stage: str = "plain"
    how: str = ""
    operations: tuple[str, ...] = ()  # of a refused row
    probe: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service}: {', '.join(self.calls)}"


@cache
def rows() -> tuple[Row, ...]:
    """The whole table, service by service."""
    return tuple(row for file in sorted(TABLE.glob("*.yaml")) for row in _read(file))


def _read(file: Path) -> Iterator[Row]:
    told = yaml.safe_load(file.read_text(encoding="utf-8"))
    for one in told["rows"]:
        service = one.pop("service", file.stem)
        yield Row(
            service=service,
            stage=one.pop("stage", told.get("stage", "plain")),
            calls=tuple(one.pop("calls")),
            operations=tuple(one.pop("operations", ())),
            probe=tuple(one.pop("probe", ())),
            **one,
        )


def incomplete(row: Row) -> str:
    """What a row lacks to be believed; "" when nothing."""
    if row.state not in STATES:
        return f"state {row.state} is none of {', '.join(STATES)}"
    if row.state == "refused":
        return "" if row.operations and not row.probe else "a refused row names its operations"
    if (row.state == "approximated") != bool(row.how):
        return "an approximation, and nothing else, says how it differs"
    shown = any("shows" in step or "refused" in step for step in row.probe)
    return "" if shown else "it has no probe that shows anything"


@cache
def operations_of(service: str) -> frozenset[str]:
    """Every operation of a service in botocore's models."""
    return frozenset(Session().get_service_model(service).operation_names)
