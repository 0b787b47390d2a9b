"""Asks every rule of a picture, and gathers the answers under their questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runbook_lib.check import Verdict
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, of_trouble, skip
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import Story, stories


@dataclass(frozen=True)
class Asked:
    """A question with its answers; the worst of them counts."""

    story: Story
    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst answer."""
        return max(answer.verdict for answer in self.answers)


@dataclass(frozen=True)
class Report:
    """Everything that was asked, in the order of the rules."""

    asked: tuple[Asked, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst answer; nothing asked is INCONCLUSIVE."""
        return max((one.verdict for one in self.asked), default=Verdict.INCONCLUSIVE)

    def sections(self) -> Iterator[tuple[str, tuple[Asked, ...]]]:
        """The questions by the part of the system that they are about."""
        for name in dict.fromkeys(one.story.section for one in self.asked):
            yield name, tuple(one for one in self.asked if one.story.section == name)


def examine(picture: Picture, rules: Sequence[Rule] = RULES) -> Report:
    """Ask every rule; a rule whose parts are missing is skipped with the reason."""
    return Report(tuple(Asked(stories()[rule.id], tuple(_answers(rule, picture))) for rule in rules))


def _answers(rule: Rule, picture: Picture) -> Iterator[Answer]:
    for part in rule.needs:
        trouble = picture.trouble_with(part)
        if trouble:
            yield of_trouble(trouble)
            return
        if not picture.has(part):
            yield skip(part, picture.absent.get(part, f"there is no {part.rpartition('.')[2]}"), "not asked")
            return
    found = tuple(rule.answer(picture))
    yield from found or (skip(", ".join(rule.needs), "the question does not arise here", "not asked"),)
