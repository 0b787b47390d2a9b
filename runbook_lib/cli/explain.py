"""Tell the whole story of a failure mode: what is asked, what goes wrong, why, and what to do."""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook explain`."""
    parser.add_argument("rule", metavar="RULE", help="id of a rule, such as A6")


def carry_out(arguments: argparse.Namespace) -> int:
    """Print the story."""
    from runbook_lib.errors import BadInput
    from runbook_lib.preflight.story import stories
    from runbook_lib.suggest import did_you_mean

    story = stories().get(arguments.rule)
    if story is None:
        remedy = did_you_mean(arguments.rule, list(stories()), otherwise="see the list in notebooks/reference")
        raise BadInput(where="runbook explain", seen=arguments.rule, wanted="the id of a rule", next_step=remedy)
    lines = {"symptom": story.symptom, "cause": story.cause, "remedy": story.remedy, "source": story.source}
    lines |= {"AWS says": " / ".join(story.texts)} if story.texts else {}
    print(f"{story.id}  {story.question}\n")
    print("\n".join(f"{name:<9} {text}" for name, text in lines.items()))
    return 0
