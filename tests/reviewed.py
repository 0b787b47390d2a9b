"""What `runbook check` reports of real repositories: against the labels of a first reader, and against a review.

The review is kept as ids and places alone (tests/cases/preflight/reviewed.json): [rule, finding, where, true or not].
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.check import Verdict
from runbook_lib.preflight import reading, report

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
REVIEWED = Path(__file__).parent / "cases" / "preflight" / "reviewed.json"
Reported = tuple[str, str, str]  # rule, finding, where


@dataclass(frozen=True)
class Judged:
    """All reported findings, by what is known of them."""

    labelled: int
    true: int
    false: int
    unreviewed: tuple[tuple[str, Reported], ...]
    missed: tuple[tuple[str, str], ...]

    @property
    def share_true(self) -> float:
        """Of everything that is reported; what nobody reviewed counts as false."""
        good = self.labelled + self.true
        return good / (good + self.false + len(self.unreviewed))


def labels() -> dict[str, Any]:
    """Repository -> the defects that a first reader saw."""
    found: dict[str, Any] = json.loads((CORPUS / "LABELS.json").read_text(encoding="utf-8"))["labels"]
    return found


def folder(repository: str) -> Path:
    return CORPUS / repository.replace("/", "__")


def reported(directory: Path) -> Iterator[Reported]:
    """Every answer that is worse than SKIP."""
    for one in report.examine(reading.read_folder(directory)).asked:
        for answer in one.answers:
            if answer.verdict > Verdict.SKIP:
                yield one.story.id, answer.finding, answer.where


def judged() -> Judged:
    """The whole collection."""
    reviewed = json.loads(REVIEWED.read_text(encoding="utf-8"))["reviewed"]
    labelled = true = false = 0
    unreviewed, missed = [], []
    for repository, known in labels().items():
        found = list(reported(folder(repository)))
        review = {tuple(entry[:3]): entry[3] for entry in reviewed.get(repository, [])}
        missed += [(repository, name) for name in known if name not in {one[1] for one in found}]
        for one in found:
            if one[1] in known:
                labelled += 1
            elif one not in review:
                unreviewed.append((repository, one))
            elif review[one]:
                true += 1
            else:
                false += 1
    return Judged(labelled, true, false, tuple(unreviewed), tuple(missed))
