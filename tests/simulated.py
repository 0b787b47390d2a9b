"""Writes notebooks/reference/simulated.md: what of each service the sandbox simulates. `make simulated` runs it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from botocore import xform_name

from runbook_lib.sandbox import services
from tests.fidelity import STATES, Row, operations_of, rows

PAGE = Path(__file__).parents[1] / "notebooks" / "reference" / "simulated.md"
MOTO_MODULES = {"lambda": "awslambda"}  # lambda is a word of Python's
HEAD = """# What the sandbox simulates

This page is generated from the services and from the table of probes that the tests try: `make simulated` writes it.

An operation of a service below is in one of three hands.
**Own**: it behaves, with AWS's errors and on the sandbox's clock.
**moto**: it only needs to be stored, and the emulator [moto](https://github.com/getmoto/moto) answers it.
**Refused**: it answers `501 NotImplemented` with its name; nothing is answered that is not meant.

"""
REST = """
## Other services

Every other service is left to moto as a whole: EC2, S3, SNS, SQS, SSM, Secrets Manager, KMS, EventBridge Scheduler,
Resource Groups Tagging and others. There too an operation that moto does not have answers 501 with its name.
"""


def text() -> str:
    """The whole page."""
    names = sorted(services.SERVICES)
    others = sorted({row.service for row in rows()} - set(names))
    parts = [HEAD, *_overview(names), *(line for name in names for line in _section(name)), REST]
    return "".join([*parts, *(line for name in others for line in (f"\n### {name}\n", *_rows(name)))])


def _overview(names: Iterable[str]) -> Iterator[str]:
    yield "| service | own | moto | refused | of |\n|---|--:|--:|--:|--:|\n"
    for name in names:
        own, moto, refused = _hands(name)
        yield f"| [{name}](#{name}) | {len(own)} | {len(moto)} | {len(refused)} | {len(operations_of(name))} |\n"


def _section(name: str) -> Iterator[str]:
    own, moto, refused = _hands(name)
    yield f"\n## {name}\n"
    for title, listed in (("Own", own), ("moto", moto), ("Refused", refused)):
        if listed:
            yield f"\n**{title}** ({len(listed)}): {', '.join(listed)}.\n"
    yield from _rows(name)


def _rows(service: str) -> Iterator[str]:
    found = [row for row in rows() if row.service == service]
    if found:
        yield "\n| call | on AWS | here |\n|---|---|---|\n"
        yield from (f"| {', '.join(map(_code, row.calls))} | {row.aws} | {_here(row)} |\n" for row in found)


def _code(call: str) -> str:
    return f"`{call}`"


def _here(row: Row) -> str:
    return f"{STATES[row.state]}: {row.how}" if row.how else f"{STATES[row.state]}."


def _hands(service: str) -> tuple[list[str], list[str], list[str]]:
    """The operations that are ours, moto's and refused."""
    module = services.module(service)
    assert module is not None
    known = operations_of(service)
    own = {name for name in module.OPERATIONS if name in known}
    moto = {name for name in known - own if name in getattr(module, "MOTO", ()) and name in _motos(service)}
    return sorted(own), sorted(moto), sorted(known - own - moto)


@cache
def _motos(service: str) -> frozenset[str]:
    """The operations that moto has a method for."""
    module = MOTO_MODULES.get(service, service.replace("-", ""))
    responses = importlib.import_module(f"moto.{module}.responses")
    found = (kind for _, kind in inspect.getmembers(responses, inspect.isclass))
    methods = {name for kind in found if kind.__module__ == responses.__name__ for name in dir(kind)}
    return frozenset(name for name in operations_of(service) if xform_name(name) in methods)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
