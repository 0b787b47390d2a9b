"""A rule: a question about the picture, asked of what was read already; it reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from runbook_lib.check import Verdict
from runbook_lib.documents.edit import Edit
from runbook_lib.documents.finding import Finding
from runbook_lib.preflight.picture import Picture, Trouble


@dataclass(frozen=True)
class Answer:
    """What a rule found at one place: the evidence, both values, and the remedy where they differ."""

    verdict: Verdict
    where: str  # file:line:column, or API and field
    seen: str
    wanted: str
    remedy: str = ""
    finding: str = ""  # the name under which a document's own check has it


@dataclass(frozen=True)
class Rule:
    """One failure mode: the parts of the picture that it needs, and how it answers; its words are in stories.yaml."""

    id: str
    needs: tuple[str, ...]
    answer: Callable[[Picture], Iterable[Answer]]
    repair: Callable[[Picture], Iterable[Edit]] | None = (
        None  # edits that are certain; each by itself, of files as read
    )


def ok(where: str, seen: object, wanted: object) -> Answer:
    """The answer when all is well."""
    return Answer(Verdict.OK, where, str(seen), str(wanted))


def fail(where: str, seen: object, wanted: object, remedy: str) -> Answer:
    """The answer when it is not."""
    return Answer(Verdict.FAIL, where, str(seen), str(wanted), remedy)


def judge(good: bool, where: str, *, seen: object, wanted: object, remedy: str) -> Answer:
    """OK or FAIL."""
    return ok(where, seen, wanted) if good else fail(where, seen, wanted, remedy)


def skip(where: str, seen: object, wanted: object) -> Answer:
    """The answer when the question does not arise."""
    return Answer(Verdict.SKIP, where, str(seen), str(wanted))


def unknown(where: str, seen: object, wanted: object, remedy: str = "") -> Answer:
    """The answer when it cannot be told from what was read."""
    return Answer(Verdict.INCONCLUSIVE, where, str(seen), str(wanted), remedy)


def of_trouble(trouble: Trouble, *, verdict: Verdict = Verdict.ERROR) -> Answer:
    """The answer where a file could not be read."""
    return Answer(verdict, trouble.where, trouble.seen, trouble.wanted, trouble.next_step)


def called(answer: Answer, finding: str) -> Answer:
    """The same answer with the name under which the documents' own checks have it."""
    return replace(answer, finding=finding)


def of_finding(finding: Finding) -> Answer:
    """The answer that a document's own check gives."""
    verdict = Verdict.FAIL if finding.stops else Verdict.INCONCLUSIVE
    return Answer(verdict, finding.where, finding.seen, finding.wanted, finding.next_step, finding.rule)
