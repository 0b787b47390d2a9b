"""The default engine: DuckDB in this process, some files at once."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.accesslog.counting import connect, count, is_large
from runbook_lib.accesslog.files import LogFile
from runbook_lib.accesslog.reading import Counted, Reading
from runbook_lib.accesslog.shelf import FileCount

MOST = 4  # files at once: more would only need more memory


@dataclass(frozen=True)
class DuckDB:
    """Counts with as many threads as there are processors (or `threads`), four files at once at most.

    Files are brought here one after the other while others are counted, and at most one waits: the work folder holds
    no more than that.  Ctrl-C ends it at once; what was counted stays in the cache.
    """

    threads: int | None = None

    def count(self, reading: Reading) -> Counted:
        threads = self.threads or os.cpu_count() or 1
        opener, work, missing = reading.source.opener(), reading.shelf.work, reading.missing()
        # Files are counted beside each other; threads within each would only wait for one another.
        within = threads if len(missing) == 1 else 1
        large = is_large(missing)
        with connect(work, threads=within) as db, ThreadPoolExecutor(min(threads, MOST)) as pool:
            running: dict[Future[FileCount], LogFile] = {}

            def counted(file: LogFile, path: Path) -> FileCount:
                try:
                    with db.cursor() as own:
                        note = count(own, file, path, reading.question, reading.made(file), large=large)
                finally:
                    if path.is_relative_to(work):
                        path.unlink(missing_ok=True)
                return reading.keep(file, note)

            try:
                for file in missing:
                    running[pool.submit(counted, file, opener.fetch(file, work))] = file
                    if len(running) > min(threads, MOST):
                        _collect(running, reading)
                while running:
                    _collect(running, reading)
            finally:
                if running:  # a file that cannot be read, or Ctrl-C: nobody waits for the others
                    for task in running:
                        task.cancel()
                    db.interrupt()
        return reading.counted()


def _collect(running: dict[Future[FileCount], LogFile], reading: Reading) -> None:
    """Wait for one at least."""
    for task in wait(running, return_when=FIRST_COMPLETED).done:
        file = running.pop(task)
        reading.done(file, task.result())
