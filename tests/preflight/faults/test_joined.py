"""Every fault, from preflight's answer to AWS's words: rule, fault and failure are one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runbook_lib.check import Verdict
from runbook_lib.preflight.decode import decode
from runbook_lib.preflight.wish import Wish, of_call
from runbook_lib.story import faults
from runbook_lib.story.faults import Fault, Saying, Vocabulary
from runbook_lib.story.faults.vocabulary import search
from tests.preflight.faults.conftest import World

_GOOD: dict[str, Verdict] = {}


def good(world: World) -> dict[str, Verdict]:
    """What preflight says of the world without a fault; asked once a process."""
    if not _GOOD:
        _GOOD.update(world.verdicts())
    return _GOOD


def wish_of(words: Vocabulary) -> Wish | None:
    """What somebody is about to make, as preflight sees it."""
    wished = words.fault.wish
    return of_call(wished.call, words.arguments(wished)) if wished else None


def fits(fault: Fault, said: Sequence[Saying]) -> list[str]:
    """The sayings that the fault foretells."""
    return [one.text for one in said if one.by == fault.by and fault.says.lower() in one.text.lower()]


@pytest.mark.parametrize("name", faults.names())
def test_a_fault_is_found_before_and_ends_as_it_is_told(world: World, name: str) -> None:
    """Preflight says it of the fault and not without it; going on all the same ends in AWS's own words."""
    fault = faults.load(name)
    assert good(world)[fault.rule] < fault.check, "without the fault there is nothing to find"
    words = faults.strike(world.account, world.system, fault, journal=world.journal)
    assert world.verdicts(wish_of(words))[fault.rule] is fault.check
    said = faults.go_on(world.account, world.system, words, journal=world.journal)
    if fault.says:
        found = fits(fault, said)
        assert found, [f"{one.by} {one.of}: {one.text}" for one in said]
        assert fault.rule in [story.id for story in decode(found[0])]
    for look in fault.finds:
        assert search(words.filled(look.path), words.ask(look.call)) == words.filled(look.value), look.path
