"""Read a folder of access logs in one way, and print what it cost: `python -m tests.benchmarks.logs_read WAY FOLDER`.

The task is the same for each way: requests and the 99th percentile by minute and target group.  CPU and wall are those
of the reading alone, after what it needs was imported: in a notebook it is warm.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from runbook_lib.accesslog import DuckDB, Engine, Histogram, LocalLogs, Window, read_access_logs
from runbook_lib.accesslog.statements import HISTOGRAM
from tests.logs_made import START, Recipe, make

HOUR = Window(START, START + timedelta(hours=1))
PARSED = 20_000  # lines that the slowest peer reads
Told = tuple[int, float]  # requests, and the sum of the percentiles


def ours(threads: int) -> Callable[[Path], Told]:
    """This package, in one process."""
    _warm()
    return lambda folder: _told(_read(folder, DuckDB(threads)))


def dask(workers: int) -> Callable[[Path], Told]:
    """This package on a cluster of this machine, started as the README says and ready before the clock starts."""
    import distributed

    from runbook_lib.accesslog.dask import Dask

    work = tempfile.mkdtemp(prefix="cluster-")
    told = Path(work) / "scheduler.json"
    scheduler = _start(work, "scheduler", "--port", "0", "--scheduler-file", str(told))
    while not told.exists():
        if scheduler.poll() is not None:
            raise RuntimeError(f"dask scheduler ended with {scheduler.returncode}")
        time.sleep(0.05)
    for _ in range(workers):
        _start(work, "worker", "--scheduler-file", str(told), "--no-nanny", "--nthreads", "1")
    client = distributed.Client(scheduler_file=str(told), set_as_default=False)
    client.wait_for_workers(workers, timeout=60)
    client.run(_warm)
    with _few() as logs:
        _read(logs.path, Dask(client.scheduler.address))
    return lambda folder: _told(_read(folder, Dask(client.scheduler.address)))


def _start(work: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of the cluster, which ends with this one."""
    command = (str(Path(sys.executable).with_name("dask")), *arguments, "--host", "127.0.0.1", "--no-dashboard")
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    started = subprocess.Popen(command, cwd=work, env=environment, stderr=subprocess.DEVNULL)
    atexit.register(_end, started)
    return started


def _end(started: subprocess.Popen[bytes]) -> None:
    started.terminate()
    started.wait(10)


def _warm() -> None:
    """Count a few lines by both ways: what is imported at the first call, and once on a machine compiled, is there."""
    from runbook_lib.accesslog.dask import counted_there

    with _few() as logs:
        for large in (True, False):
            counted_there(logs, logs.files(HOUR), HISTOGRAM, large)


@contextmanager
def _few() -> Iterator[LocalLogs]:
    with tempfile.TemporaryDirectory() as folder:
        make(Recipe(seed=1, lines=100, minutes=5), Path(folder), detailed=False)
        yield LocalLogs(Path(folder))


def _read(folder: Path, engine: Engine) -> Histogram:
    return read_access_logs(LocalLogs(folder), HOUR, engine=engine)


def _told(logs: Histogram) -> Told:
    return logs.requests, sum(minute.p99 or 0 for minute in logs.minutes(slow_ms=1000)) / 1000


def pandas(_: int) -> Callable[[Path], Told]:
    """pandas.read_csv with the columns that are needed."""
    import pandas as pd

    def read(folder: Path) -> Told:
        names = {1: "time", 6: "took", 8: "status", 9: "answered", 16: "grp"}
        parts = [
            pd.read_csv(path, sep=" ", header=None, usecols=list(names), quotechar='"').rename(columns=names)
            for path in files(folder)
        ]
        table = pd.concat(parts)
        table["minute"] = table["time"].str[:16]
        took = table["took"].where(table["took"] >= 0)
        return len(table), float(took.groupby([table["minute"], table["grp"]]).quantile(0.99).sum())

    return read


def parser(_: int) -> Callable[[Path], Told]:
    """The PyPI package aws-log-parser, over some lines: it needs minutes for a million, and refuses IPv6."""
    from aws_log_parser import AwsLogParser, LogType

    def read(folder: Path) -> Told:
        with files(folder)[0].open(encoding="utf-8") as text:
            lines = [line for line in islice(text, PARSED) if " 2001:" not in line]
        return sum(1 for _ in AwsLogParser(log_type=LogType.LoadBalancer).parse(lines)), 0.0

    return read


def files(folder: Path) -> list[Path]:
    """The files below a folder."""
    return sorted(path for path in folder.rglob("*.log*") if path.is_file())


WAYS: dict[str, Callable[[int], Callable[[Path], Told]]] = {
    "ours": ours,
    "dask": dask,
    "pandas": pandas,
    "parser": parser,
}


def main(way: str, folder: str, number: str = "2") -> dict[str, Any]:
    """What a way cost: CPU and wall seconds, the largest memory in MiB, and what it found."""
    read = WAYS[way](int(number))
    before, began = _cpu(), time.perf_counter()
    requests, checksum = read(Path(folder))
    wall = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": _cpu() - before, "wall": wall, "memory": memory, "requests": requests, "checksum": checksum}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])), flush=True)
