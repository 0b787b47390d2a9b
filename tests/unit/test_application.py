"""What an application's own files say about its walk, and what in them is in the way; each case is a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib import application
from runbook_lib.errors import BadInput

CASES = Path(__file__).parents[1] / "cases" / "application"
WALKED = sorted((CASES / "walked").iterdir())
REFUSED = sorted((CASES / "refused").iterdir())


@pytest.mark.parametrize("folder", WALKED, ids=[folder.name for folder in WALKED])
def test_names_come_from_the_applications_files(folder: Path) -> None:
    """Account, region, repository, container and port; each says in which line it was found."""
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    found = application.read(folder)
    assert {name: getattr(found, name) for name in told} == told
    assert set(found.source) >= set(told)


@pytest.mark.parametrize("folder", REFUSED, ids=[folder.name for folder in REFUSED])
def test_what_cannot_be_walked_is_refused_with_file_line_and_remedy(folder: Path) -> None:
    """Before anything is made; the message is the case's."""
    with pytest.raises(BadInput) as refused:
        application.read(folder)
    assert (folder / "told.txt").read_text(encoding="utf-8").strip() in str(refused.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its path; nothing is guessed."""
    with pytest.raises(BadInput, match="gone: seen: no such directory; wanted: the folder of an application"):
        application.read(tmp_path / "gone")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The folder is wanted, not its buildspec."""
    file = tmp_path / "buildspec.yml"
    file.write_text("version: 0.2\n", encoding="utf-8")
    with pytest.raises(BadInput, match="seen: a file; wanted: the folder of an application"):
        application.read(file)
