"""The default engine: DuckDB in this process, some files at once."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.accesslog.counting import connect, count, is_large
from runbook_lib.accesslog.files import LogFile, LogSource
from runbook_lib.accesslog.reading import Counted, Meter, Tell
from runbook_lib.accesslog.shelf import FileCount, Shelf
from runbook_lib.accesslog.statements import Question
from runbook_lib.accesslog.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST = 4  # files at once: more would only need more memory


@dataclass(frozen=True)
class DuckDB:
    """Counts with as many threads as there are processors (or `threads`), four files at once at most.

    Files are brought here one after the other while others are counted, and at most one waits: the work folder holds
    no more than that.  Ctrl-C ends it at once; what was counted stays in the cache.
    """

    threads: int | None = None

    def count(
        self,
        question: Question,
        source: LogSource,
        files: tuple[LogFile, ...],
        window: Window,
        shelf: Shelf,
        tell: Tell | None,
    ) -> Counted:
        threads = self.threads or os.cpu_count() or 1
        meter, opener, found = Meter(files, tell), source.opener(), dict[str, FileCount]()
        rows = {file.name: shelf.counted(source.place, file, question.name) for file in files}
        missing = []
        for file in files:
            known = shelf.find(rows[file.name])
            if known is None:
                missing.append(file)
            else:
                found[file.name] = known
                meter.done(file, fresh=False)
        # Files are counted beside each other; threads within each would only wait for one another.
        within = threads if len(missing) == 1 else 1
        large = is_large(missing)
        with connect(shelf.work, threads=within) as db, ThreadPoolExecutor(min(threads, MOST)) as pool:
            running: dict[Future[FileCount], LogFile] = {}
            try:
                for file in missing:
                    path = opener.fetch(file, shelf.work)
                    task = pool.submit(_counted, db, file, path, question, rows[file.name], shelf, large)
                    running[task] = file
                    if len(running) > min(threads, MOST):
                        _collect(running, found, meter)
                while running:
                    _collect(running, found, meter)
            except BaseException:  # a file that cannot be read, or Ctrl-C: nobody waits for the others
                for task in running:
                    task.cancel()
                db.interrupt()
                raise
        return Counted(tuple(rows.values()), tuple(found[file.name] for file in files))


def _counted(
    db: DuckDBPyConnection, file: LogFile, path: Path, question: Question, counts: Path, shelf: Shelf, large: bool
) -> FileCount:
    made = shelf.work / counts.name
    try:
        with db.cursor() as own:
            done = count(own, file, path, question, made, large=large)
    finally:
        if path.is_relative_to(shelf.work):
            path.unlink(missing_ok=True)
    shelf.keep(counts, made, done)
    return done


def _collect(running: dict[Future[FileCount], LogFile], found: dict[str, FileCount], meter: Meter) -> None:
    """Wait for one at least."""
    for task in wait(running, return_when=FIRST_COMPLETED).done:
        file = running.pop(task)
        found[file.name] = task.result()
        meter.done(file, fresh=True)
