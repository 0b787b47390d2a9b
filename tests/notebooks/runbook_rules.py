"""The rules that a committed runbook keeps, each a function from a notebook to its complaints."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from runbook_lib.runs.notebook import COMMON, PARAMETERS, text_of

Notebook = dict[str, Any]
Complaints = Iterator[str]

LONGEST, USUAL = 25, 5  # lines of a code cell; three quarters are at most USUAL
FEWEST, MOST = 25, 60  # cells
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}|/(?:tmp|home|root|Users|work|var/folders)/\S+|127\.0\.0\.1:\d+|localhost:\d+")
# The sandbox begins on 2026-03-02, and no walk takes a month.
DATE = re.compile(r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)")
SANDBOX_TIME = "2026-03-"
FORBIDDEN_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.Lambda, ast.While)
FORBIDDEN_NAMES = {"boto3", "botocore", "sleep", "subprocess", "input", "clear_output"}
SIMPLE_TYPE = re.compile(r"(Optional\[)?(str|int|float|bool|list|dict)\]?")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def code_cells(notebook: Notebook) -> list[Notebook]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: Notebook) -> Iterator[tuple[int, str]]:
    """Every text of every output, with the number of its cell."""
    for number, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", ()):
            yield number, joined(output.get("text", ""))
            for kind, value in output.get("data", {}).items():
                if not kind.startswith("image/"):
                    yield number, joined(value)


def joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def begins_with_its_outcome(notebook: Notebook) -> Complaints:
    """The title is the outcome."""
    first = notebook["cells"][0]
    if first["cell_type"] != "markdown" or not text_of(first).startswith("# "):
        yield "the first cell is no Markdown cell with a title"


def has_a_readable_size(notebook: Notebook) -> Complaints:
    """25 to 60 cells, three quarters of the code at most 5 lines, no cell over 25."""
    if not FEWEST <= len(notebook["cells"]) <= MOST:
        yield f"{len(notebook['cells'])} cells; wanted {FEWEST} to {MOST}"
    lengths = [len(text_of(cell).splitlines()) for cell in code_cells(notebook)]
    if lengths and max(lengths) > LONGEST:
        yield f"a code cell of {max(lengths)} lines; wanted at most {LONGEST}"
    if sum(length <= USUAL for length in lengths) < 0.75 * len(lengths):
        yield f"fewer than three quarters of the code cells have at most {USUAL} lines"


def leaves_logic_to_the_library(notebook: Notebook) -> Complaints:
    """No def, class, try, boto3, sleep or magic in a notebook."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        try:
            tree = ast.parse(text_of(cell))
        except SyntaxError:
            yield f"cell {number} is no plain Python (a magic, a shell command?)"
            continue
        for node in ast.walk(tree):
            if isinstance(node, FORBIDDEN_NODES):
                yield f"cell {number} has a {type(node).__name__}: put it into runbook_lib"
            name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "module", None)
            names = {name} | {alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)}
            if names & FORBIDDEN_NAMES:
                yield f"cell {number} uses {sorted(names & FORBIDDEN_NAMES)[0]}"


def explains_before_it_does(notebook: Notebook) -> Complaints:
    """Every code cell has a Markdown cell before it."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code" and (number == 0 or notebook["cells"][number - 1]["cell_type"] != "markdown"):
            yield f"cell {number} has no Markdown cell before it: {text_of(cell).splitlines()[0]}"


def declares_its_parameters(notebook: Notebook) -> Complaints:
    """One cell, one typed literal a line, nothing that papermill's parser would drop."""
    tagged = [cell for cell in code_cells(notebook) if PARAMETERS in cell["metadata"].get("tags", ())]
    if len(tagged) != 1:
        yield f"{len(tagged)} cells tagged {PARAMETERS}; wanted one"
        return
    names = []
    for line in text_of(tagged[0]).splitlines():
        left, equals, _ = line.partition("=")
        name, colon, kind = left.partition(":")
        names.append(name.strip())
        if not colon or not equals or line.count("=") != 1 or not SIMPLE_TYPE.fullmatch(kind.strip()):
            yield f"papermill would drop or misread: {line}"
        if "#" not in line:
            yield f"no word on what it is for: {line}"
    if tuple(names[: len(COMMON)]) != COMMON:
        yield f"the parameters begin with {names[: len(COMMON)]}; wanted {list(COMMON)}"


def was_run_from_top_to_bottom(notebook: Notebook) -> Complaints:
    """Counted from 1 without a gap, no error, nothing on standard error."""
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts {counts}: run `make refresh`"
    for number, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                yield f"cell {number} ended with {output['ename']}"
            if output.get("name") == "stderr":
                yield f"cell {number} wrote to standard error: {joined(output['text'])[:80]}"


def shows_nothing_twice(notebook: Notebook) -> Complaints:
    """A cell that ends with what it has shown shows it again: give it a name."""
    for number, cell in enumerate(notebook["cells"]):
        shown = [repr(output.get("data") or output.get("text")) for output in cell.get("outputs", ())]
        if len(shown) != len(set(shown)):
            yield f"cell {number} shows the same twice"


def shows_nothing_of_the_machine(notebook: Notebook) -> Complaints:
    """No address in memory, no path, no port, and no time but the sandbox's."""
    for number, text in outputs(notebook):
        found = ADDRESS.search(text)
        if found:
            yield f"cell {number} shows {found[0]}"
        strange = [date for date in DATE.findall(text) if not date.startswith(SANDBOX_TIME)]
        if strange:
            yield f"cell {number} shows the date {strange[0]}"


def keeps_its_metadata_clean(notebook: Notebook) -> Complaints:
    """Tags, counted ids and the kernel's name, nothing of an editor or of papermill."""
    if notebook["metadata"] != {"kernelspec": KERNEL, "language_info": {"name": "python"}}:
        yield f"metadata of the notebook: {sorted(notebook['metadata'])}; run `make refresh`"
    for number, cell in enumerate(notebook["cells"]):
        if set(cell["metadata"]) - {"tags"}:
            yield f"metadata of cell {number}: {sorted(cell['metadata'])}; run `make refresh`"
        if cell.get("id") != f"cell-{number:03}":
            yield f"cell {number} has the id {cell.get('id')}; run `make refresh`"


def fails_by_raising(notebook: Notebook) -> Complaints:
    """No tag that lets a failure pass or skips a comparison, no output that a semicolon hides."""
    for number, cell in enumerate(notebook["cells"]):
        for tag in set(cell["metadata"].get("tags", ())) & {"raises-exception", "skip-execution", "nbval-skip"}:
            yield f"cell {number} is tagged {tag}"
        if cell["cell_type"] == "code" and text_of(cell).rstrip().endswith(";"):
            yield f"cell {number} ends with a semicolon: nbval does not know it"


RULES: dict[str, Callable[[Notebook], Complaints]] = {
    rule.__name__: rule
    for rule in (
        begins_with_its_outcome,
        has_a_readable_size,
        leaves_logic_to_the_library,
        explains_before_it_does,
        declares_its_parameters,
        was_run_from_top_to_bottom,
        shows_nothing_twice,
        shows_nothing_of_the_machine,
        keeps_its_metadata_clean,
        fails_by_raising,
    )
}
