"""What a notebook says about itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runbook_lib.errors import BadInput
from runbook_lib.runs import notebook


def test_a_notebook_tells_its_title_and_parameters(fixtures: Path) -> None:
    """Read from the file, without a kernel and without executing anything."""
    found = notebook.read(fixtures / "own_parameters.ipynb")
    assert found.title == "Its own parameters are taken"
    assert [(one.name, one.kind, one.default) for one in found.own][:2] == [
        ("version", "str", "2"),
        ("count", "int", 3),
    ]


@pytest.mark.parametrize("name", ["30_release", "30", "notebooks/30_release.ipynb", "30_release.ipynb"])
def test_a_notebook_is_found_by_name_number_or_file(workplace: Path, fixtures: Path, name: str) -> None:
    """However it is called, the same file is meant."""
    (workplace / "notebooks").mkdir()
    shutil.copy(fixtures / "all_good.ipynb", workplace / "notebooks" / "30_release.ipynb")
    assert notebook.find(name).resolve() == workplace / "notebooks" / "30_release.ipynb"


def test_an_unknown_notebook_is_refused_with_a_suggestion(fixtures: Path) -> None:
    """The nearest name is offered."""
    with pytest.raises(BadInput, match="did you mean all_good"):
        notebook.find("al_good", within=fixtures)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no notebook"),
        ("[]", "no notebook"),
        ('{"cells": 3}', "no notebook"),
        ('{"cells": []}', "no cell tagged parameters"),
    ],
)
def test_a_file_that_is_no_runbook_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Whatever the file holds, the answer is a sentence."""
    file = tmp_path / "x.ipynb"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        notebook.read(file)


def test_parameters_that_compute_are_refused(fixtures: Path) -> None:
    """papermill would drop the line without a word."""
    with pytest.raises(BadInput, match="limit: int = 3 \\* 60"):
        notebook.read(fixtures / "computes_in_its_parameters.ipynb")


def test_the_folder_of_the_runbooks_is_found_from_below(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder of a project that has one."""
    (workplace / "notebooks").mkdir()
    below = workplace / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert notebook.folder() == workplace / "notebooks"
