"""Writes notebooks/reference/faults.md: the failure modes with their rules and faults. `make faults` runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import SECTIONS, Story, stories
from runbook_lib.story import faults
from runbook_lib.story.faults import Fault

PAGE = Path(__file__).parents[1] / "notebooks" / "reference" / "faults.md"
HEAD = """# Faults that can be played

This page is generated from the rules and from the faults' files: `make faults` writes it.

Every failure mode that can be has a rule, which `runbook check` asks, and a fault, which brings it into the sandbox.
A test joins the two: with the fault the rule says what it should, without it it does not.
A release that goes on all the same ends as it is told.
**In AWS's words**: the message that AWS gives, from which `runbook explain --error` finds the failure mode again.
**In what is found**: nobody says anything; a look at the account shows it.

`runbook check -f params/sandbox.yaml -p sandbox.scenario=NAME` plays one.

"""


def text() -> str:
    """The whole page."""
    played = [faults.load(name) for name in faults.names()]
    modes = [story for story in stories().values() if story.id[1:].isdigit()]
    return "".join([HEAD, *_counts(modes, played), "\n", *_faults(played), "\n", *_others(modes)])


def _counts(modes: Iterable[Story], played: Iterable[Fault]) -> Iterator[str]:
    listed, checked = list(modes), {rule.id for rule in RULES}
    yield "| | failure modes | with a rule | with a joined fault | faults | in AWS's words | in what is found |\n"
    yield "|---|--:|--:|--:|--:|--:|--:|\n"
    for letter, title in (*((key, title) for key, title in SECTIONS.items() if len(key) == 1), ("", "**all**")):
        own = [mode.id for mode in listed if mode.id.startswith(letter)]
        kept = [fault for fault in played if fault.rule in own]
        said = sum(bool(fault.says) for fault in kept)
        figures = (len(own), len(checked & set(own)), len({fault.rule for fault in kept}), len(kept), said)
        cells = " | ".join(map(str, (*figures, len(kept) - said)))
        yield f"| {f'{letter}: ' if letter else ''}{title} | {cells} |\n"


def _faults(played: Iterable[Fault]) -> Iterator[str]:
    yield "## Every fault\n\n| name | what is wrong | `runbook check` | how it ends all the same |\n|---|---|---|---|\n"
    for fault in played:
        yield f"| `{fault.name}` | {fault.tells} | {fault.check} | {_end(fault)} |\n"


def _end(fault: Fault) -> str:
    words = fault.says.replace("|", "\\|")
    return f"{fault.by}: `{words}`" if words else fault.shows


def _others(modes: Iterable[Story]) -> Iterator[str]:
    yield "## Without a fault\n\n| failure mode | question | why |\n|---|---|---|\n"
    reasons, checked = faults.unplayed(), {rule.id for rule in RULES}
    for mode in modes:
        if mode.id in reasons:
            rule = "" if mode.id in checked else f" No rule: {mode.unchecked}"
            yield f"| {mode.id} | {mode.question} | {reasons[mode.id]}{rule} |\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
