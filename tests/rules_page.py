"""Writes notebooks/reference/preflight.md: what `runbook check` asks, of what, and what it repairs. `make rules`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from runbook_lib.preflight.rule import Rule
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import SECTIONS, Story, stories

PAGE = Path(__file__).parents[1] / "notebooks" / "reference" / "preflight.md"
HEAD = """# What `runbook check` asks

This page is generated from the rules and their stories: `make rules` writes it.

{summary}

`runbook check DIR` asks what files tell; with `--pipeline FILE` also what a pipeline's definition tells.
`runbook check -f FILE` asks the account of a parameter file as well.
A question whose parts nobody gave is skipped with the reason.
One whose part cannot be read is an error: what was not measured is never OK.
`runbook explain ID` tells the whole story of a question, `runbook explain --error TEXT` finds that of a message.

## Repairs

`runbook check DIR --fix` shows these repairs as a diff and writes them when somebody agrees (`--yes`).
A repair is offered only where there is one right form.
It is tried in memory first, and kept when its question is answered better and no other fails more.
Comments, order, quotes, line ends and every other byte stay as they are; a second run finds nothing to do.
What would be a choice is left to a person: a size, a name of which two files disagree, other work in post_build.

| id | what is repaired |
|---|---|
"""
PARTS = {
    "files": "the folder",
    "files.buildspec": "buildspec",
    "files.taskdef": "task definition",
    "files.appspec": "AppSpec",
    "files.dockerfile": "Dockerfile",
    "pipeline": "pipeline",
}


def text() -> str:
    """The whole page."""
    repairs = (f"| {rule.id} | {_repaired(rule)} |\n" for rule in RULES if rule.repair)
    return "".join([HEAD.format(summary=summary()), *repairs, *_sections(), *_unchecked()])


def summary() -> str:
    """One sentence with the counts, as the README has it too."""
    modes = [id for id in stories() if re.fullmatch(r"[A-E]\d+", id)]
    asked = [rule for rule in RULES if rule.id in modes]
    repaired = sum(rule.repair is not None for rule in RULES)
    return (
        f"{len(RULES)} questions: {len(asked)} of the {len(modes)} known failure modes have a rule, "
        f"{len(RULES) - len(asked)} more ask about the files themselves, and {repaired} rules have a repair."
    )


def _repaired(rule: Rule) -> str:
    """The first sentence of the repair's own docstring."""
    told = inspect.getdoc(rule.repair) or ""
    return " ".join(told.partition("\n\n")[0].split())


def _sections() -> Iterator[str]:
    for name in dict.fromkeys(SECTIONS.values()):
        asked = [rule for rule in RULES if stories()[rule.id].section == name]
        if asked:
            yield f"\n## {name}\n\n"
            yield "| id | question | asked of | when it fails | remedy | source |\n|---|---|---|---|---|---|\n"
            yield from (_row(rule, stories()[rule.id]) for rule in asked)


def _row(rule: Rule, story: Story) -> str:
    cells = (rule.id, story.question, _parts(rule), story.symptom, story.remedy, story.source)
    escaped = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |\n"


def _parts(rule: Rule) -> str:
    live = any(need.startswith("live") for need in rule.needs)
    return ", ".join([*(PARTS[need] for need in rule.needs if not need.startswith("live")), *["account"] * live])


def _unchecked() -> Iterator[str]:
    left = [story for story in stories().values() if story.unchecked]
    if left:
        yield "\n## Without a rule\n\n| id | question | why nothing can be asked before the release |\n|---|---|---|\n"
        yield from (f"| {story.id} | {story.question} | {story.unchecked} |\n" for story in left)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
