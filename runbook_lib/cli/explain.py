"""Tell the whole story of a failure mode: what is asked, what goes wrong, why, and what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_lib.preflight.story import Story

NOT_KNOWN = 3  # as a check that says no


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook explain`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("rule", nargs="?", metavar="RULE", help="id of a failure mode, such as A6")
    what.add_argument("--error", metavar="TEXT", help="a message of AWS: which failure modes say it?")


def carry_out(arguments: argparse.Namespace) -> int:
    """Print one story, or those that a message tells."""
    if arguments.error is None:
        print(told(_story(arguments.rule)))
        return 0
    from runbook_lib.preflight.decode import decode

    found = decode(arguments.error)
    if not found:
        print("No known failure mode says this. Read the stopped tasks' reasons and the service's events next.")
        return NOT_KNOWN
    print("\n\n".join(told(story) for story in found))
    return 0


def told(story: Story) -> str:
    """A story as text; the check that would have found it is named by its id."""
    from runbook_lib.sections import scenarios

    lines = {"symptom": story.symptom, "cause": story.cause, "remedy": story.remedy, "source": story.source}
    lines |= {"AWS says": " / ".join(story.texts)} if story.texts else {}
    lines |= {"no check": story.unchecked} if story.unchecked else {}
    faults = [name for name in scenarios() if name.startswith(f"{story.id}-")]
    lines |= {"play it": " / ".join(f"-p sandbox.scenario={name}" for name in faults)} if faults else {}
    body = "\n".join(f"  {name:<9} {text}" for name, text in lines.items())
    return f"{story.id}  {story.question}\n{body}"


def _story(rule: str) -> Story:
    from runbook_lib.errors import BadInput
    from runbook_lib.preflight.story import stories
    from runbook_lib.suggest import did_you_mean

    known = stories()
    found = known.get(rule) or known.get(rule.upper()) or known.get(rule.lower())
    if found is None:
        remedy = did_you_mean(rule, list(known), otherwise="ids run from A1 to E9")
        raise BadInput(where="runbook explain", seen=rule, wanted="the id of a failure mode", next_step=remedy)
    return found
