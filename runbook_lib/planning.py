"""Steps that make something or say why they need not: comparing what is wished with what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runbook_lib.account import Account
from runbook_lib.errors import Refused
from runbook_lib.inventory import Item, find
from runbook_lib.step import Made, Step, Until

GONE_BY_TEARDOWN = "deleted by 90_tear_down"


def make(
    id: str,
    title: str,
    call: str,
    arguments: Mapping[str, Any],
    *,
    made: Made,
    found: Mapping[str, Any] | None,
    items: Iterable[Item],
    until: Until | None = None,
) -> Step:
    """A step that makes a resource, or the reason why it need not: it is there and it is ours.

    `call` is "service:method" in boto3's words.  Raises Refused when the resource is there and the inventory
    does not hold it: what the runbooks did not make is never changed.
    """
    if found is not None and find(items, made.kind, made.name) is None:
        raise Refused(
            where=title,
            seen=f"{made.kind} {made.name} exists and is not in the inventory",
            wanted="a free name, or a resource that the runbooks made",
            next_step="choose another name in the parameters; nothing was changed",
        )
    service, _, action = call.partition(":")
    return Step(
        id=id,
        title=title,
        service=service,
        action=action,
        arguments=arguments,
        touches=made.name,
        reason="not there yet" if found is None else "it is there already",
        undo=GONE_BY_TEARDOWN,
        made=made,
        present=found,
        until=until,
    )


def change(
    id: str,
    title: str,
    call: str,
    arguments: Mapping[str, Any],
    *,
    touches: str,
    needed: str | None,
    undo: str,
    already: str = "it is so already",
    present: Mapping[str, Any] | None = None,
    until: Until | None = None,
    accept: tuple[str, ...] = (),
    settle: Mapping[str, Callable[[Account], Mapping[str, Any]]] | None = None,
) -> Step:
    """A step that changes something; `needed` says why, None when it is so already."""
    service, _, action = call.partition(":")
    return Step(
        id=id,
        title=title,
        service=service,
        action=action,
        arguments=arguments,
        touches=touches,
        reason=needed or already,
        undo=undo,
        present=None if needed else (present or {}),
        until=until,
        accept=accept,
        settle=settle or {},
    )
