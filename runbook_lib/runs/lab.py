"""JupyterLab on copies of the runbooks: what is done there never touches the templates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from runbook_lib import kernels
from runbook_lib.runs import notebook as notebooks
from runbook_lib.runs.directory import RUNS, shown
from runbook_lib.runs.walk import exit_on_stop

__all__ = ["exit_on_stop", "prepare_folder", "serve"]
STATE = "world.state"
PROGRESS = {"RUNBOOK_PROGRESS": "in_place"}


def prepare_folder(*, tell: Callable[[str], None], within: Path | None = None) -> Path:
    """Copy the runbooks to runs/lab; a copy that is there already is kept, for it may hold somebody's work."""
    source = within or notebooks.folder()
    folder = source.parent / RUNS / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    for template in sorted(source.glob("*.ipynb")):
        copy = folder / template.name
        if not copy.exists():
            shutil.copy(template, copy)
        elif _inputs(copy) != _inputs(template):
            tell(f"kept {shown(copy)}: it differs from its template; remove it to get a new copy")
    return folder


def serve(folder: Path, *, environment: Mapping[str, str], browser: bool) -> int:
    """Run JupyterLab on loopback until it is ended; gives its exit code."""
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    if not browser:
        command.append("--no-browser")
    told = {**os.environ, **environment, **PROGRESS, kernels.CHOOSE: kernels.NAME}
    return subprocess.run(command, env=told, check=False).returncode


def _inputs(path: Path) -> list[str]:
    return [notebooks.text_of(cell) for cell in notebooks.source_cells(path)]
