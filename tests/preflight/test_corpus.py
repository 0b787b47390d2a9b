"""Real repositories: nothing breaks, nothing known is missed, and rolling ones are not blamed for being rolling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.check import Verdict
from runbook_lib.preflight import reading, report

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
LABELS: dict[str, Any] = json.loads((CORPUS / "LABELS.json").read_text())["labels"] if CORPUS.is_dir() else {}
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real repositories is not here")


def found(repository: str) -> set[str]:
    """The names of the findings that are worse than SKIP."""
    asked = report.examine(reading.read_folder(CORPUS / repository.replace("/", "__"))).asked
    return {answer.finding for one in asked for answer in one.answers if answer.verdict > Verdict.SKIP}


@needs_corpus
@pytest.mark.parametrize("repository", sorted(LABELS))
def test_every_known_defect_is_reported(repository: str) -> None:
    """What a first reader saw is among the findings, and no file makes the check break."""
    assert set(LABELS[repository]) - found(repository) == set()


@needs_corpus
def test_a_rolling_repository_is_not_asked_for_blue_green_files() -> None:
    """It has no AppSpec: the questions of the deploy action do not arise."""
    assert "image_detail_never_written" not in found("EvertonRodriguesOliveira/Bia")
