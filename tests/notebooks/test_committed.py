"""Every committed runbook keeps the rules, and running it again gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from runbook_rules import RULES, Notebook

from runbook_lib.runs import pictures
from runbook_lib.runs.notebook import read
from runbook_lib.runs.refresh import as_text, executed

FOLDER = Path(__file__).parents[2] / "notebooks"
COMMITTED = sorted(FOLDER.glob("*.ipynb"))
named = pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])


@named
@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_committed_runbook_keeps_the_rule(path: Path, rule: str) -> None:
    """Each rule says what is wrong, and where."""
    assert list(RULES[rule](json.loads(path.read_text(encoding="utf-8")))) == []


@named
def test_running_a_runbook_again_gives_the_same_bytes(path: Path) -> None:
    """Its outputs are what the library does today, to the last byte; `make refresh` writes them."""
    assert as_text(executed(path)) == path.read_text(encoding="utf-8")


@named
def test_the_pictures_of_a_runbook_are_what_it_shows(path: Path) -> None:
    """Other pages show them; `make refresh` writes them with the notebook."""
    assert pictures.stale(path) == []


@named
def test_papermill_reads_the_parameters_as_we_do(path: Path) -> None:
    """Its parser is a regular expression that drops what it does not understand."""
    from papermill import inspect_notebook

    assert list(inspect_notebook(str(path))) == [parameter.name for parameter in read(path).parameters]


@pytest.fixture
def good() -> Notebook:
    """A notebook that keeps every rule."""
    cells = []
    for number in range(14):
        code = 'params_file: str = "x"  # which\noverrides: dict = {}  # what' if number == 0 else f"print({number})"
        cells.append({"cell_type": "markdown", "metadata": {}, "source": f"# Outcome {number}\n\nWhy."})
        cells.append(
            {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": number + 1}
        )
    cells[1]["metadata"] = {"tags": ["parameters"]}
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}


def test_a_good_notebook_has_no_complaints(good: Notebook) -> None:
    """Or the rules could not be kept."""
    assert [complaint for rule in RULES.values() for complaint in rule(good)] == []


def say(number: int, text: str) -> Callable[[Notebook], None]:
    """A cell with other source."""
    return lambda notebook: notebook["cells"][number].update(source=text)


def show(text: str, kind: str = "stream", **more: object) -> Callable[[Notebook], None]:
    """A cell with an output."""
    output = {"output_type": kind, "name": "stdout", "text": [text], **more}
    return lambda notebook: notebook["cells"][3].update(outputs=[output])


def twice(notebook: Notebook) -> None:
    """A cell that shows something and ends with it."""
    output = {"output_type": "display_data", "data": {"text/plain": ["42"]}}
    notebook["cells"][3]["outputs"] = [output, {**output, "output_type": "execute_result"}]


@pytest.mark.parametrize(
    ("spoil", "rule", "told"),
    [
        (say(0, "No title"), "begins_with_its_outcome", "title"),
        (lambda n: n.update(cells=n["cells"][:8]), "has_a_readable_size", "8 cells"),
        (say(3, "x = 1\n" * 26), "has_a_readable_size", "26 lines"),
        (say(3, "def f():\n    pass"), "leaves_logic_to_the_library", "FunctionDef"),
        (say(3, "try:\n    f()\nexcept E:\n    pass"), "leaves_logic_to_the_library", "Try"),
        (say(3, "import boto3"), "leaves_logic_to_the_library", "boto3"),
        (say(3, "from time import sleep"), "leaves_logic_to_the_library", "sleep"),
        (say(3, "clock.sleep(3)"), "leaves_logic_to_the_library", "sleep"),
        (say(3, "!ls"), "leaves_logic_to_the_library", "no plain Python"),
        (lambda n: n["cells"].pop(2), "explains_before_it_does", "cell 2 has no Markdown"),
        (lambda n: n["cells"][1].update(metadata={}), "declares_its_parameters", "0 cells tagged"),
        (say(1, "overrides: dict = {}  # a"), "declares_its_parameters", "wanted ['params_file', 'overrides']"),
        (say(1, 'params_file: str = "a=b"  # c'), "declares_its_parameters", "drop or misread"),
        (say(1, "limit: int | None = None  # c"), "declares_its_parameters", "drop or misread"),
        (say(1, "limit: int = 1"), "declares_its_parameters", "no word"),
        (lambda n: n["cells"][3].update(execution_count=None), "was_run_from_top_to_bottom", "make refresh"),
        (show("Traceback", "error", ename="KeyError"), "was_run_from_top_to_bottom", "KeyError"),
        (show("UserWarning", name="stderr"), "was_run_from_top_to_bottom", "UserWarning"),
        (twice, "shows_nothing_twice", "cell 3"),
        (show("<object at 0x7f3a2b1c9d10>"), "shows_nothing_of_the_machine", "0x7f3a2b1c9d10"),
        (show("saved to /home/ana/runs"), "shows_nothing_of_the_machine", "/home/ana/runs"),
        (show("at 2027-11-23T10:00:00Z"), "shows_nothing_of_the_machine", "2027-11-23"),
        (lambda n: n["metadata"].update(papermill={}), "keeps_its_metadata_clean", "papermill"),
        (lambda n: n["cells"][3]["metadata"].update(execution={}), "keeps_its_metadata_clean", "cell 3"),
        (lambda n: n["cells"][3].update(id="a1b2"), "keeps_its_metadata_clean", "a1b2"),
        (lambda n: n["cells"][3]["metadata"].update(tags=["raises-exception"]), "fails_by_raising", "raises-exception"),
        (say(3, "plot();"), "fails_by_raising", "semicolon"),
    ],
)
def test_a_rule_finds_what_breaks_it(good: Notebook, spoil: Callable[[Notebook], object], rule: str, told: str) -> None:
    """Each rule can fail, and names the cell."""
    spoil(good)
    assert any(told in complaint for complaint in RULES[rule](good))


def test_nbval_passes_on_a_refreshed_notebook_and_fails_on_a_stale_one(
    tmp_path: Path, fixtures: Path, root: Path
) -> None:
    """With the kernels, the sanitizing and the options that `make nbval` uses."""
    fresh = as_text(executed(fixtures / "all_good.ipynb"))
    (tmp_path / "fresh.ipynb").write_text(fresh, encoding="utf-8")
    (tmp_path / "stale.ipynb").write_text(fresh.replace('  100"', '  101"'), encoding="utf-8")
    config = root / "tests" / "notebooks" / "sanitize.cfg"
    words = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(config), "-p", "tests.lean", "-q"]
    environment = {**os.environ, "JUPYTER_DEFAULT_PROVISIONER_NAME": "runbook-fork", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "pytest", *words, "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "1 failed, 5 passed" in told.stdout, told.stdout
