"""Charts of the committed notebooks as files of their own, for pages that show them: never another run's."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from runbook_lib.runs.notebook import source_cells

FOLDER = "reference"
# notebook -> title of the chart (its text/plain) -> file
CHARTS = {
    "50_watch": {
        "Green gets the share that was asked for": "traffic_share.png",
        "Every target passes its health check": "target_health.png",
    },
}


def pictures(notebook: Path) -> dict[Path, bytes]:
    """The files that a notebook's charts are kept in, with what they should hold."""
    wanted = CHARTS.get(notebook.stem, {})
    found = {title: png for cell in source_cells(notebook) for title, png in _charts(cell)}
    return {notebook.parent / FOLDER / name: found[title] for title, name in wanted.items()}


def stale(notebook: Path) -> list[Path]:
    """The files that do not hold what the notebook shows."""
    return [path for path, png in pictures(notebook).items() if not path.is_file() or path.read_bytes() != png]


def write(notebook: Path) -> None:
    """Write the files of a notebook's charts."""
    for path, png in pictures(notebook).items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)


def _charts(cell: dict[str, Any]) -> list[tuple[str, bytes]]:
    shown = [output["data"] for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})]
    return [("".join(data["text/plain"]), base64.b64decode(data["image/png"])) for data in shown]
