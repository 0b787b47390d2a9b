"""Dask as an engine: many processes, perhaps on many machines, count a file each with DuckDB.

What comes back are the same counts as those of one process, so the answer is equal to the last request.  The workers
need this package, and for a log in S3 credentials of their own in their environment (a task role on Fargate); files are
read with boto3, for s3fs and dask-cloudprovider do not go with the boto3 of today.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog.counting import connect, count, is_large
from runbook_lib.accesslog.files import LogFile, LogSource, Opener
from runbook_lib.accesslog.reading import Counted, Meter, Tell
from runbook_lib.accesslog.shelf import FileCount, Shelf, shelf
from runbook_lib.accesslog.statements import Question
from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONNECT = 30  # seconds until a scheduler must have answered


@dataclass(frozen=True)
class Dask:
    """Counts on the workers of the scheduler at an address, such as tcp://10.0.1.7:8786.

    A file that was counted before is taken from the cache, whichever engine counted it.
    """

    address: str

    def count(
        self,
        question: Question,
        source: LogSource,
        files: tuple[LogFile, ...],
        window: Window,
        shelf: Shelf,
        tell: Tell | None,
    ) -> Counted:
        meter, found, opener = Meter(files, tell), dict[str, FileCount](), source.remote()
        rows = {file.name: shelf.counted(source.place, file, question.name) for file in files}
        with self._client() as client:
            running: dict[Any, LogFile] = {}
            large = is_large(files)
            for file in files:
                known = shelf.find(rows[file.name])
                if known is None:
                    running[client.submit(counted_there, opener, file, question, large, pure=False)] = file
                else:
                    found[file.name] = known
                    meter.done(file, fresh=False)
            try:
                for task in _completed(client, list(running)):
                    file = running[task]
                    content, told = task.result()
                    made = shelf.work / rows[file.name].name
                    made.write_bytes(content)
                    shelf.keep(rows[file.name], made, told)
                    found[file.name] = told
                    meter.done(file, fresh=True)
                    task.release()
            except BaseException:  # Ctrl-C or a file that cannot be read: the workers need not go on
                client.cancel(list(running))
                raise
        return Counted(tuple(rows.values()), tuple(found[file.name] for file in files))

    def _client(self) -> Any:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise _wrong("Dask is not installed", "pip install 'runbook-lib[dask]'") from error
        try:
            client = Client(self.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise _wrong(f"no scheduler at {self.address} ({error})", "start it, or correct the address") from error
        if not client.scheduler_info(n_workers=-1)["workers"]:
            client.close()
            raise _wrong(f"no worker at {self.address}", "start workers that have this package")
        return client


def _completed(client: Any, tasks: list[Any]) -> Any:
    from distributed import as_completed

    return as_completed(tasks, loop=client.loop)


def counted_there(opener: Opener, file: LogFile, question: Question, large: bool) -> tuple[bytes, FileCount]:
    """On a worker: the counts of a file as the content of a Parquet file, and its note."""
    with shelf(None) as own:
        path, made = opener.fetch(file, own.work), own.work / "counts.parquet"
        with _database().cursor() as db:
            told = count(db, file, path, question, made, large=large)
        return made.read_bytes(), told


@cache
def _database() -> DuckDBPyConnection:
    """One for all tasks of a worker: to open one takes as long as to count some thousand lines."""
    return connect(Path(tempfile.mkdtemp(prefix="reading-")), threads=1)


def _wrong(seen: str, next_step: str) -> BadInput:
    return BadInput(where="Dask", seen=seen, wanted="a scheduler with workers", next_step=next_step)
