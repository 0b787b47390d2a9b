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
from runbook_lib.story.shares import JOURNALS

__all__ = ["exit_on_stop", "prepare_folder", "serve"]
STATE = "world.state"
# Nothing is fetched: no extension, no news of a newer version.
OPTIONS = (
    "--ServerApp.ip=127.0.0.1",
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)
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
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder}"]
    if os.geteuid() == 0:
        command.append("--allow-root")  # in a container everybody is; it listens on loopback alone, with a token
    if not browser:
        command.append("--no-browser")
    kept = {JOURNALS: str(folder / "journals")}
    told = {**os.environ, **environment, **PROGRESS, **kept, kernels.CHOOSE: kernels.NAME}
    return subprocess.run(command, env=told, check=False).returncode


def _inputs(path: Path) -> list[str]:
    return [notebooks.text_of(cell) for cell in notebooks.source_cells(path)]
