"""Checks are questions; each answer carries both numbers, and the worst answer wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from runbook_lib.errors import CheckFailed


class Verdict(IntEnum):
    """The ladder of answers: the worst wins, and not measured is never OK."""

    OK = 0
    SKIP = 1
    INCONCLUSIVE = 2
    ERROR = 3
    FAIL = 4

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Check:
    """A question with its answer: what was seen, what was wanted, and what to do when they differ."""

    question: str
    verdict: Verdict
    seen: str
    wanted: str
    remedy: str = ""


def ask(question: str, good: bool, *, seen: object, wanted: object, remedy: str = "") -> Check:
    """The answer OK or FAIL to a question that could be measured."""
    return Check(question, Verdict.OK if good else Verdict.FAIL, str(seen), str(wanted), "" if good else remedy)


def skip(question: str, reason: str) -> Check:
    """The answer to a question that does not arise here, with the reason."""
    return Check(question, Verdict.SKIP, reason, "not asked")


def unknown(question: str, *, seen: str, wanted: str, remedy: str = "") -> Check:
    """The answer to a question that could not be measured: never taken for OK."""
    return Check(question, Verdict.INCONCLUSIVE, seen, wanted, remedy)


@dataclass(frozen=True)
class Checks:
    """The answers to several questions, in the order in which they were asked."""

    title: str
    answers: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst answer; nothing asked is INCONCLUSIVE."""
        return max((check.verdict for check in self.answers), default=Verdict.INCONCLUSIVE)

    @property
    def bad(self) -> tuple[Check, ...]:
        """The answers that keep a gate closed: everything worse than SKIP."""
        return tuple(check for check in self.answers if check.verdict > Verdict.SKIP)

    def require(self) -> Checks:
        """Go on only when no answer is worse than SKIP; raises CheckFailed with the first one that is."""
        for check in sorted(self.bad, key=lambda bad: -bad.verdict)[:1]:
            raise CheckFailed(
                where=f"{self.title}: {check.question} {check.verdict}",
                seen=check.seen,
                wanted=check.wanted,
                next_step=check.remedy or "see the table above, mend it and run this cell again",
            )
        if not self.answers:
            raise CheckFailed(
                where=self.title, seen="no question was asked", wanted="at least one", next_step="add a check"
            )
        return self


def checks(title: str, answers: Iterable[Check]) -> Checks:
    """Gather answers under one title."""
    return Checks(title, tuple(answers))
