"""The inventory: what the runbooks made, kept in the account itself so that any later run finds it.

One SSM parameter per resource, under /runbook/<name>/inventory/.  It is written before the call that makes the
resource (state "intended") and again after it (state "made"), so that a run killed in between loses nothing.
Resources that the inventory does not hold are never changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from runbook_lib.account import Account


@dataclass(frozen=True)
class Item:
    """A resource that a runbook made: its kind (such as "elbv2:target-group"), its short name and its id or ARN.

    `id` is None while the resource is only intended.
    """

    kind: str
    name: str
    id: str | None
    step: str
    at: str


def path(world: str) -> str:
    """Where the inventory of a world of that name lies in SSM."""
    return f"/runbook/{world}/inventory"


def read_inventory(account: Account, world: str) -> tuple[Item, ...]:
    """Every resource that the runbooks made or meant to make for this world, oldest first."""
    pages = account.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path(world), Recursive=True)
    items = [Item(**json.loads(found["Value"])) for page in pages for found in page["Parameters"]]
    return tuple(sorted(items, key=lambda item: (item.at, item.kind, item.name)))


def write(account: Account, world: str, item: Item) -> None:
    """Keep an item (again); called by `step.apply` alone."""
    account.client("ssm").put_parameter(
        Name=_parameter(world, item), Value=json.dumps(asdict(item)), Type="String", Overwrite=True
    )


def forget(account: Account, world: str, items: Iterable[Item]) -> None:
    """Strike items whose resources are gone (verified by the caller); called by `step.apply` alone."""
    names = [_parameter(world, item) for item in items]
    for start in range(0, len(names), 10):  # DeleteParameters takes at most ten
        account.client("ssm").delete_parameters(Names=names[start : start + 10])


def find(items: Iterable[Item], kind: str, name: str) -> Item | None:
    """The item of that kind and name, None when the runbooks did not make it."""
    return next((item for item in items if item.kind == kind and item.name == name), None)


def _parameter(world: str, item: Item) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in item.name)
    return f"{path(world)}/{item.kind.replace(':', '/')}/{safe}"


def as_rows(items: Iterable[Item]) -> list[dict[str, Any]]:
    """The items as rows of a table: kind, name, step."""
    return [{"kind": item.kind, "name": item.name, "made by": item.step} for item in items]
