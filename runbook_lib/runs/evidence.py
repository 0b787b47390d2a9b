"""What is kept of a run: the executed notebook, its report, the journal as JSON, the verdict."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runbook_lib import __version__, journal
from runbook_lib.runs import notebook as notebooks
from runbook_lib.runs.attempt import Attempt
from runbook_lib.runs.report import MARKER, write_report
from runbook_lib.runs.verdict import CellRecord, Verdict, save

JOURNAL, REPORT, LOG = "journal.json", "report.html", "kernel.log"
LIBRARIES = ("papermill", "nbclient", "ipykernel", "pandas", "matplotlib", "boto3", "moto")
# papermill's words for the states of a cell.
STATUS = {"done": "completed", "failed": "failed", "interrupted": "failed", "not run": "pending"}


def keep(verdict: Verdict, *, folder: Path, attempt: Attempt) -> Verdict:
    """Put the evidence of a run that has ended into its folder; gives the verdict as it was saved."""
    save(verdict, folder)
    executed = folder / f"{verdict.notebook}.ipynb"
    found = {}
    if executed.is_file():
        verdict = replace(verdict, cells=_correct(executed, attempt))
        found["notebook"] = executed.name
    if _write_journal(folder):
        found["journal"] = JOURNAL
    if executed.is_file():
        found["report"] = REPORT
        write_report(executed, folder / REPORT, verdict=verdict)
    if _said_something(folder / LOG):
        found["log"] = LOG
    verdict = replace(verdict, evidence=found)
    save(verdict, folder)
    return verdict


def program(source: Path) -> dict[str, str]:
    """What ran: our version and commit, Python, and the libraries that outputs depend on."""
    libraries = {name: version(name) for name in LIBRARIES}
    return {"runbook": __version__, "commit": _commit(source), "python": platform.python_version(), **libraries}


def _commit(source: Path) -> str:
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown: git is not installed"
    return told.stdout.strip() or "unknown: not in a git repository"


def _correct(executed: Path, attempt: Attempt) -> tuple[CellRecord, ...]:
    """The records of the code cells; papermill's own notes in the notebook are made to say the same."""
    saved = json.loads(executed.read_text(encoding="utf-8"))
    own = [cell for cell in saved["cells"] if MARKER not in cell.get("metadata", {}).get("tags", ())]
    records: list[CellRecord] = []
    for index, cell in enumerate(own):
        if cell["cell_type"] == "code" and notebooks.text_of(cell).strip():
            state = attempt.state(index)
            cell["metadata"].setdefault("papermill", {})["status"] = STATUS[state]
            heading = notebooks.heading_before(own, index)
            records.append(CellRecord(len(records) + 1, heading, state, attempt.seconds(index)))
    saved["metadata"].setdefault("papermill", {})["exception"] = any(r.state != "done" for r in records) or None
    executed.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return tuple(records)


def _write_journal(folder: Path) -> bool:
    lines = folder / "journal.jsonl"
    if not lines.is_file():
        return False
    entries: list[dict[str, Any]] = [asdict(entry) for entry in journal.read(lines)]
    (folder / JOURNAL).write_text(json.dumps(entries, indent=1, ensure_ascii=False), encoding="utf-8")
    return True


def _said_something(log: Path) -> bool:
    if log.is_file() and log.stat().st_size == 0:
        log.unlink()
    return log.is_file()
