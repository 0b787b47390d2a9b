"""Dask as an engine: many processes, perhaps on many machines, count a file each with DuckDB.

What comes back are the same counts as those of one process, so the answer is equal to the last request.  The workers
need this package, and for a log in S3 credentials of their own in their environment (a task role on Fargate); files are
read with boto3, for s3fs and dask-cloudprovider do not go with the boto3 of today.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog.counting import connect, count, is_large
from runbook_lib.accesslog.files import LogFile, Opener
from runbook_lib.accesslog.reading import Counted, Reading
from runbook_lib.accesslog.shelf import FileCount, shelf
from runbook_lib.accesslog.statements import Question
from runbook_lib.errors import BadInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONNECT = 30  # seconds until a scheduler must have answered
TASK_BYTES = 64 << 20  # of files in a task: seconds of work, which a kill loses


@dataclass(frozen=True)
class Dask:
    """Counts on the workers of the scheduler at an address, such as tcp://10.0.1.7:8786.

    A file that was counted before is taken from the cache, whichever engine counted it.
    """

    address: str

    def count(self, reading: Reading) -> Counted:
        opener, missing = reading.source.remote(), reading.missing()
        large = is_large(missing)
        with self._client() as client:
            batches = _batches(missing, sum(client.nthreads().values()))
            running = {
                client.submit(counted_there, opener, batch, reading.question, large, pure=False): batch
                for batch in batches
            }
            try:
                for task in _completed(client, list(running)):
                    batch = running.pop(task)
                    for file, (content, note) in zip(batch, task.result(), strict=True):
                        reading.made(file).write_bytes(content)
                        reading.done(file, reading.keep(file, note))
                    task.release()
            finally:
                if running:  # Ctrl-C or a file that cannot be read: the workers need not go on
                    client.cancel(list(running))
        return reading.counted()

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


def _batches(files: Sequence[LogFile], threads: int) -> Iterator[tuple[LogFile, ...]]:
    """Files that are sent together: each time half of a fair share of what is left, so that all threads end alike.

    To send a task takes some milliseconds of everybody's time (guided self-scheduling: Polychronopoulos and Kuck 1987).
    """
    left, batch, room = sum(file.size for file in files), list[LogFile](), 0.0
    for file in files:
        if not batch:
            room = min(left / (2 * threads), TASK_BYTES)
        batch.append(file)
        room -= file.size
        left -= file.size
        if room <= 0:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def counted_there(
    opener: Opener, files: tuple[LogFile, ...], question: Question, large: bool
) -> list[tuple[bytes, FileCount]]:
    """On a worker: the counts of each file as the content of a Parquet file, and its note."""
    found = []
    with shelf(None) as own, _database().cursor() as db:
        made = own.work / "counts.parquet"
        for file in files:
            path = opener.fetch(file, own.work)
            note = count(db, file, path, question, made, large=large)
            if path.is_relative_to(own.work):
                path.unlink()
            found.append((made.read_bytes(), note))
    return found


@cache
def _database() -> DuckDBPyConnection:
    """One for all tasks of a worker: to open one takes as long as to count some thousand lines."""
    work = tempfile.mkdtemp(prefix="reading-")
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    return connect(Path(work), threads=1)


def _wrong(seen: str, next_step: str) -> BadInput:
    return BadInput(where="Dask", seen=seen, wanted="a scheduler with workers", next_step=next_step)
