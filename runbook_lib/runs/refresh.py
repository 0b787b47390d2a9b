"""Committed outputs: a notebook is run alone in its own sandbox, and written so that equal runs give equal bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runbook_lib import kernels
from runbook_lib.errors import RunbookError
from runbook_lib.runs import pictures
from runbook_lib.runs.lean import lean_imports

# A reference is made in a world of its own, in plain text, whatever the caller's shell says.
NOT_INHERITED = ("RUNBOOK_SANDBOX_URL", "RUNBOOK_RUN_DIR", "RUNBOOK_PROGRESS")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LIMIT = 600  # seconds of one cell


def refresh(path: Path, *, write: bool) -> bool:
    """Run a notebook and say whether its file, or one of its pictures, is not what it should be; write it if wanted."""
    fresh = as_text(executed(path))
    differs = fresh != path.read_text(encoding="utf-8") or bool(pictures.stale(path))
    if differs and write:
        path.write_text(fresh, encoding="utf-8")
        pictures.write(path)
    return differs


def executed(path: Path) -> dict[str, Any]:
    """A notebook with the outputs of a run of its own; raises RunbookError where a cell fails."""
    with lean_imports():
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellControlSignal
    from jupyter_client.provisioning import KernelProvisionerFactory

    KernelProvisionerFactory.instance().default_provisioner_name = kernels.NAME
    notebook: Any = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
    )
    environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    try:
        client.execute(env=environment, cwd=str(path.parent))
    except CellControlSignal as error:
        raise RunbookError(
            where=path.name, seen=str(error), wanted="every cell without an error", next_step="mend the notebook"
        ) from None
    return plain(notebook)


def plain(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with counted cell ids and nothing in its metadata but tags and the kernel's name."""
    cells = [_plain_cell(cell, number) for number, cell in enumerate(notebook["cells"])]
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def as_text(notebook: dict[str, Any]) -> str:
    """The file of a notebook, as nbformat lays it out."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _plain_cell(cell: dict[str, Any], number: int) -> dict[str, Any]:
    tags = cell["metadata"].get("tags")
    kept: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{number:03}",
        "metadata": {"tags": sorted(tags)} if tags else {},
        "source": _lines(cell["source"]),
    }
    if cell["cell_type"] == "code":
        kept |= {"execution_count": cell["execution_count"], "outputs": [_plain_output(o) for o in cell["outputs"]]}
    return kept


def _plain_output(output: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in output.items() if key not in ("metadata", "transient")}
    if "text" in kept:
        kept["text"] = _lines(kept["text"])
    if "data" in kept:
        # Pictures are kept on one line, text line by line, as nbformat does.
        data = kept["data"].items()
        kept["data"] = {kind: value if "image/p" in kind else _lines(value) for kind, value in data}
        kept["metadata"] = {}
    return kept


def _lines(text: Any) -> Any:
    return text.splitlines(keepends=True) if isinstance(text, str) else text
