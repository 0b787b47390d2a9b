"""The report of a run: one page without code, with its charts inside and nothing to fetch."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from runbook_lib.runs.lean import FORMATS, lean_imports
from runbook_lib.runs.verdict import Verdict

MARKER = "papermill-error-cell-tag"  # cells that papermill adds: the verdict on top says it better
PAGE = Path(__file__).parent / "report.html"


def write_report(executed: Path, report: Path, *, verdict: Verdict) -> None:
    """Turn an executed notebook into a page that begins with the verdict."""
    page = PAGE.read_text(encoding="utf-8")
    filled = {
        "TITLE": html.escape(verdict.title),
        "SUMMARY": summary(verdict),
        "BODY": body(executed, foreseen=verdict.exit_code != 1),
    }
    for name, text in filled.items():
        page = page.replace("{{" + name + "}}", text)
    report.write_text(page, encoding="utf-8")


def body(executed: Path, *, foreseen: bool = False) -> str:
    """The cells of a notebook as HTML: Markdown and outputs, no inputs; a foreseen ending is told without its trace."""
    with lean_imports(FORMATS):
        import nbformat
        from nbconvert.exporters import HTMLExporter

    notebook: Any = nbformat.read(executed, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if MARKER not in cell.metadata.get("tags", ())]
    if foreseen:
        _without_traces(notebook)
    exporter: Any = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    text, _ = exporter.from_notebook_node(notebook)
    return str(text)


def _without_traces(notebook: Any) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]


def summary(verdict: Verdict) -> str:
    """The verdict as a table: what a reader in a hurry needs."""
    rows = {"Outcome": f"{verdict.outcome} (exit code {verdict.exit_code})", "Began": verdict.began}
    if verdict.seconds is not None:
        rows["Took"] = f"{verdict.seconds:.1f} s"
    if verdict.failed_cell is not None:
        rows["Ended at"] = (
            f"cell {verdict.failed_cell.number}, {verdict.failed_cell.heading or 'before the first heading'}"
        )
    if verdict.failure is not None:
        parts = {"Seen": verdict.failure.seen, "Wanted": verdict.failure.wanted, "Next": verdict.failure.next_step}
        rows |= {name: part for name, part in parts.items() if part} or {"Error": verdict.failure.text}
        rows |= {"Known as": " / ".join(verdict.failure.known)} if verdict.failure.known else {}
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
    return f"<table class='verdict code-{verdict.exit_code}'>{''.join(cells)}</table>"
