"""The report of an incident: a page and Markdown, without names and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runbook_lib.account import Account
from runbook_lib.errors import BadInput
from runbook_lib.incident.redact import Redactor
from runbook_lib.story.incident import tables
from runbook_lib.story.incident.hands import known
from runbook_lib.story.incident.looked import Look
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import charts
from runbook_lib.views import incident as drawing
from runbook_lib.views.document import Document, Section


def write_report(account: Account, system: System, found: Look, folder: str = "") -> Table:
    """Write the report beside the journal, or into a folder that is named: a page, and Markdown with its charts.

    That of an earlier look, too, lies with the run that writes it: what the earlier run kept stays as it is.
    """
    if not folder and not found.folder:
        why = "nowhere: this run keeps no evidence; name a folder with report, or use `runbook run` or `make lab`"
        return table("Written", [{"file": "-", "what": why}])
    kept, whole = Path(folder or found.folder), document(account, system, found)
    try:
        paths = whole.write(kept, "incident")
    except OSError as error:
        raise _unwritable(kept, error) from None
    kinds = {".html": "page, opens without a network", ".md": "the same as Markdown", ".png": "chart of the Markdown"}
    return table("Written", [{"file": path.name, "what": kinds[path.suffix]} for path in paths])


def accept(account: Account, system: System, hands: str, report: str) -> None:
    """Refuse a word for the hands, or a folder for the report, that cannot be; the folder is made.

    Long before either is used: an hour of access log is read in between.
    """
    del account, system
    known(hands)
    if report:
        try:
            Path(report).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(Path(report), error) from None


def document(account: Account, system: System, found: Look) -> Document:
    """The tables and charts of the notebook, without names and secrets."""
    incident = found.incident
    hide = Redactor().know(entry.who for entry in incident.timeline.entries)

    def shown(*every: Callable[[Account, System, Look], Table]) -> tuple[Table, ...]:
        return tuple(hide.table(each(account, system, found)) for each in every)

    sections = (
        Section("Summary", shown(tables.summary)),
        Section(
            "What users felt",
            tuple(_hidden(hide, draw(incident)) for draw in (drawing.errors, drawing.latency, drawing.heat)),
        ),
        Section("When", shown(tables.intervals, tables.settings)),
        Section("Who was hurt", (*shown(*_hurt(found)), *_rejected(found, hide))),
        Section("Why", shown(tables.causes, tables.judged, tables.changed)),
        Section("Action items", shown(tables.todo, tables.last_good)),
        Section("Timeline", shown(tables.timeline, tables.gaps)),
    )
    return Document(f"Incident of {incident.seen.service}, {incident.seen.window}", sections)


def _hurt(found: Look) -> tuple[Callable[[Account, System, Look], Table], ...]:
    """Without harm, or without an access log, one table says so."""
    if found.incident.damage is None:
        return (tables.damage,)
    logs = (tables.requests, tables.rests_on, tables.worst) if found.incident.seen.requests else (tables.requests,)
    return (tables.damage, *logs, tables.budget)


def _rejected(found: Look, hide: Redactor) -> tuple[Table, ...]:
    """Each with a line that clients wrote: hidden as such."""
    seen = found.incident.seen.requests
    if seen is None or not seen.rejects:
        return ()
    shown = replace(seen, rejects=tuple(replace(one, sample=hide.line(one.sample)) for one in seen.rejects))
    return (shown.rejected_table(),)


def _unwritable(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        where=f"report {folder}",
        seen=error.strerror or str(error),
        wanted="a folder that can be written",
        next_step="name another folder with report, or none: then it lies beside this run's journal",
    )


def _hidden(hide: Redactor, chart: charts.Chart) -> charts.Chart:
    return replace(chart, title=hide.text(chart.title), sentence=hide.text(chart.sentence))
