"""Real repositories: nothing breaks, nothing known is missed, and nothing is reported that nobody has looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests import reviewed

LABELS: dict[str, Any] = reviewed.labels() if reviewed.CORPUS.is_dir() else {}
needs_corpus = pytest.mark.skipif(not LABELS, reason="the collection of real repositories is not here")


def found(repository: str) -> set[str]:
    """The names of the findings that are worse than SKIP."""
    return {finding for _, finding, _ in reviewed.reported(reviewed.folder(repository))}


@needs_corpus
@pytest.mark.parametrize("repository", sorted(LABELS))
def test_every_known_defect_is_reported(repository: str) -> None:
    """What a first reader saw is among the findings, and no file makes the check break."""
    assert set(LABELS[repository]) - found(repository) == set()


@needs_corpus
def test_a_rolling_repository_is_not_asked_for_blue_green_files() -> None:
    """It has no AppSpec: the questions of the deploy action do not arise."""
    assert "image_detail_never_written" not in found("EvertonRodriguesOliveira/Bia")


@needs_corpus
def test_every_further_finding_was_reviewed_and_nearly_all_are_true() -> None:
    """A new finding is looked at and entered before it is accepted."""
    judged = reviewed.judged()
    assert judged.unreviewed == ()
    assert judged.share_true > 0.98
