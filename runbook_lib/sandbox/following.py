"""Does again what came to a world since it was saved: the same inputs at the same times give the same world.

What children did is not written down: they are run again, or played back from the memory of builds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from runbook_lib.sandbox import inputs
from runbook_lib.sandbox.attendant import Attendant
from runbook_lib.sandbox.inputs import Input

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Refuse = Callable[[int, str], Exception]  # offset in the journal, what was seen there


def follow(world: World, given: Iterable[tuple[int, Input]], *, refuse: Refuse) -> None:
    """Do inputs again, each with its offset, without waiting for the wall."""
    attendant = Attendant(world)
    for offset, each in given:
        world.ids.counters = dict(Counter(world.ids.counters) + Counter(each.drawn))
        world.run_until(each.time)
        seen = APPLY[each.kind](attendant, each)
        if seen:
            raise refuse(offset, seen)


def _call(attendant: Attendant, given: Input) -> str:
    ticket = inputs.ticket_of(given)
    outline = inputs.outline(attendant.reply(ticket))
    told = list(given.content["answer"])
    return "" if outline == told else f"{ticket.method} {ticket.path} is answered with {outline} instead of {told}"


def _wait(attendant: Attendant, given: Input) -> str:
    try:
        attendant.world.run_until(given.content["until"])
    except Exception as error:
        if type(error).__name__ != given.content["broke"]:  # what broke then breaks now, and no further
            raise
    return ""


def _seen(attendant: Attendant, given: Input) -> str:
    attendant.world.happen(given.content["name"], given.content["content"])
    return ""


def _time(attendant: Attendant, given: Input) -> str:
    return ""  # it is that time already


APPLY: dict[str, Callable[[Attendant, Input], str]] = {"call": _call, "wait": _wait, "seen": _seen, "time": _time}
