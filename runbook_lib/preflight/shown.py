"""A report for people, as a tree of questions, and for programs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runbook_lib.check import Verdict
from runbook_lib.preflight.report import Asked, Report

VERSION = 1  # of the JSON


def tree(report: Report, *, all_answers: bool = False) -> str:
    """Section, question, and below it every answer that is not OK or SKIP (or all of them)."""
    return "\n".join(_tree(report, all_answers))


def _tree(report: Report, all_answers: bool) -> Iterator[str]:
    for name, asked in report.sections():
        yield name
        for one in asked:
            yield _question(one)
            yield from _answers(one, all_answers)
    yield summary(report)


def bad(report: Report) -> str:
    """The questions whose answer is worse than SKIP, with their answers."""
    asked = [one for one in report.asked if one.verdict > Verdict.SKIP]
    told = (line for one in asked for line in (_question(one), *_answers(one, all_answers=False)))
    return "\n".join(told)


def summary(report: Report) -> str:
    """One line: the worst answer, and how many there are of each."""
    counts = ", ".join(f"{sum(a.verdict == v for a in report.asked)} {v}" for v in reversed(Verdict))
    return f"{report.verdict}: {len(report.asked)} questions: {counts}"


def _question(one: Asked) -> str:
    return f"  {one.verdict!s:<12} {one.story.id:<4} {one.story.question}"


def _answers(one: Asked, all_answers: bool) -> Iterator[str]:
    for answer in one.answers:
        if all_answers or answer.verdict > Verdict.SKIP:
            yield f"      {answer.where}"
            yield f"        seen:   {answer.seen}"
            yield f"        wanted: {answer.wanted}"
            if answer.remedy:
                yield f"        next:   {answer.remedy}"


def as_json(report: Report) -> str:
    """The whole report; verdicts by their names."""
    asked = [
        {
            "id": one.story.id,
            "section": one.story.section,
            "question": one.story.question,
            "verdict": str(one.verdict),
            "source": one.story.source,
            "answers": [{**vars(answer), "verdict": str(answer.verdict)} for answer in one.answers],
        }
        for one in report.asked
    ]
    return json.dumps({"version": VERSION, "verdict": str(report.verdict), "questions": asked}, indent=1)
