"""What a runbook notebook says about itself: where it lies, its title, and the parameters that it takes."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.errors import BadInput
from runbook_lib.suggest import did_you_mean

FOLDER = "notebooks"
PARAMETERS = "parameters"
COMMON = ("params_file", "overrides")  # what every runbook notebook takes


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: its name, its type as written, and its default."""

    name: str
    kind: str
    default: Any


@dataclass(frozen=True)
class Notebook:
    """A runbook notebook: its file, its title (the outcome) and its parameters in their order."""

    path: Path
    title: str
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """The name without folder and ending: 30_release."""
        return self.path.stem

    @property
    def own(self) -> tuple[Parameter, ...]:
        """The parameters besides those that every runbook notebook takes."""
        return tuple(parameter for parameter in self.parameters if parameter.name not in COMMON)


def folder() -> Path:
    """The folder of the runbooks: `notebooks` in this folder or one above it, else beside the package."""
    here = Path.cwd()
    beside = Path(__file__).parents[2]
    for parent in (here, *here.parents, beside):
        if (parent / FOLDER).is_dir():
            return parent / FOLDER
    raise BadInput(
        seen=f"no folder named {FOLDER} in {here} or above it",
        wanted="the folder with the runbooks",
        next_step="change to the folder of this project and run again",
    )


def find(name: str, *, within: Path | None = None) -> Path:
    """The notebook that is meant: a file, a name (30_release), or the number that it begins with (30)."""
    given = Path(name)
    if given.suffix == ".ipynb" and given.is_file():
        return given
    found = {path.stem: path for path in sorted((within or folder()).glob("*.ipynb"))}
    if given.stem in found:
        return found[given.stem]
    numbered = [path for stem, path in found.items() if stem.startswith(f"{name}_")]
    if len(numbered) == 1:
        return numbered[0]
    raise BadInput(
        seen=f"no notebook named {name}",
        wanted="a file, or the name or number of a runbook",
        next_step=did_you_mean(name, list(found), otherwise="see `runbook list`"),
    )


def read(path: Path) -> Notebook:
    """Read title and parameters; raises BadInput where the file is no notebook or the cell no plain list."""
    cells = source_cells(path)
    for number, cell in enumerate(cells):
        if PARAMETERS in cell.get("metadata", {}).get("tags", ()):
            return Notebook(path, _title(cells, path), _parameters(text_of(cell), f"{path.name}, cell {number + 1}"))
    raise BadInput(
        where=path.name,
        seen=f"no cell tagged {PARAMETERS}",
        wanted="one code cell with that tag, near the top",
        next_step="tag the cell in JupyterLab (property inspector), or run another notebook",
    )


def source_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook file as they stand in it."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise _no_notebook(path) from None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _no_notebook(path)
    return cells


def text_of(cell: Mapping[str, Any]) -> str:
    """The text of a cell, which a notebook file keeps as a string or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def heading_before(cells: list[dict[str, Any]], number: int) -> str | None:
    """The nearest heading above a cell: what the reader would call the place; None above the first."""
    for cell in reversed(cells[:number]):
        if cell.get("cell_type") == "markdown":
            headings = [line for line in text_of(cell).splitlines() if line.startswith("#")]
            if headings:
                return headings[-1].lstrip("# ")
    return None


def _title(cells: list[dict[str, Any]], path: Path) -> str:
    for cell in cells:
        for line in text_of(cell).splitlines():
            if cell.get("cell_type") == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return path.stem


def _parameters(source: str, where: str) -> tuple[Parameter, ...]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise _bad_cell(where, f"{error.msg} in line {error.lineno}") from None
    return tuple(_parameter(statement, where) for statement in statements)


def _parameter(statement: ast.stmt, where: str) -> Parameter:
    line = f"line {statement.lineno}: {ast.unparse(statement)}"
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or not statement.value:
        raise _bad_cell(where, line)
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        raise _bad_cell(where, line) from None
    return Parameter(statement.target.id, ast.unparse(statement.annotation), default)


def _bad_cell(where: str, seen: str) -> BadInput:
    return BadInput(
        where=where,
        seen=seen,
        wanted="one `name: type = literal` a line in the parameters cell",
        next_step="write it so: papermill drops every other line without a word",
    )


def _no_notebook(path: Path) -> BadInput:
    return BadInput(
        where=path.name,
        seen="a file that is no notebook",
        wanted="a Jupyter notebook (JSON with cells)",
        next_step="restore the file: git checkout " + path.name,
    )
