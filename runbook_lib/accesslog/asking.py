"""Asking a question of an access log: which files there are, who counts them, and what the answer rests on."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.accesslog.coverage import Coverage, coverage_of
from runbook_lib.accesslog.damage import Damage, as_damage
from runbook_lib.accesslog.duck import DuckDB
from runbook_lib.accesslog.files import LogSource
from runbook_lib.accesslog.histogram import Histogram, as_histogram
from runbook_lib.accesslog.merging import merged
from runbook_lib.accesslog.reading import Counted, Engine, Reading, Tell
from runbook_lib.accesslog.shelf import Shelf, shelf
from runbook_lib.accesslog.statements import HISTOGRAM, Question, damage
from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

MOST_BYTES = 100 << 30  # a day of a very busy service, packed: half an hour on two cores


def read_access_logs(
    source: LogSource,
    window: Window,
    *,
    engine: Engine | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    most_bytes: int = MOST_BYTES,
) -> Histogram:
    """Every request of the window, by minute, target group, status codes and milliseconds: exact whatever the engine.

    Raises NoAccessLog when there is nothing to read, and BadInput when there is more than `most_bytes`.  With a
    `cache` folder a reading that was interrupted goes on where it was.
    """
    with shelf(cache) as kept:
        reading = _reading(HISTOGRAM, source, window, kept, tell, most_bytes)
        found = (engine or DuckDB()).count(reading)
        rows = merged(HISTOGRAM, found.rows, window, kept.work)
        coverage = _coverage(reading, found, int(rows["n"].sum()))
    return as_histogram(rows, window, coverage)


def read_damage(
    source: LogSource,
    window: Window,
    *,
    slow_ms: int,
    engine: Engine | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    most_bytes: int = MOST_BYTES,
) -> Damage:
    """Requests, failures and slow answers of the window by path, client, status, target, node and user agent.

    Slow is an answer of a target after more than `slow_ms` milliseconds.  Raises as read_access_logs does.
    """
    if slow_ms < 0:
        raise BadInput(seen=f"slow_ms {slow_ms}", wanted="milliseconds, 0 or more", next_step="correct it")
    question = damage(slow_ms)
    with shelf(cache) as kept:
        reading = _reading(question, source, window, kept, tell, most_bytes)
        found = (engine or DuckDB()).count(reading)
        rows = merged(question, found.rows, window, kept.work)
        # Every request has one status, so those rows hold each once; folded rows are part of the sum.
        counted = int(rows["n"][rows.texts("dimension") == "status"].sum())
        coverage = _coverage(reading, found, counted)
    return as_damage(rows, window, slow_ms, coverage)


def _reading(
    question: Question, source: LogSource, window: Window, kept: Shelf, tell: Tell | None, most_bytes: int
) -> Reading:
    files = source.files(window)
    size = sum(file.size for file in files)
    if size > most_bytes:
        raise BadInput(
            where="the access log",
            seen=f"{len(files)} files with {size / 1e9:.1f} GB in {window}",
            wanted=f"at most {most_bytes / 1e9:.1f} GB",
            next_step="narrow the window, or raise most_bytes; Dask and Athena share the work among machines",
        )
    return Reading(question, source, window, files, kept, tell)


def _coverage(reading: Reading, found: Counted, counted: int) -> Coverage:
    return coverage_of(reading.source.place, reading.window, reading.files, found.files, counted)
