"""What was counted once is kept: a reading that was stopped goes on, a file that changed is read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runbook_lib.accesslog import LocalLogs, Progress, Window, dask
from runbook_lib.accesslog.files import LogFile
from tests.logs_made import START, Recipe, make
from tests.unit.accesslog.logs_read import LINE, counted, read, written

pytestmark = pytest.mark.usefixtures("way")


class StopReading(Exception):
    """Somebody presses Ctrl-C."""


def test_a_reading_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """What was counted is not read again; the answer is the same, also when it is asked a third time."""
    truth = make(Recipe(seed=3, lines=2000, minutes=30), tmp_path / "log")
    source = LocalLogs(tmp_path / "log")
    cache = tmp_path / "cache"
    told = list[Progress]()

    def stop(progress: Progress) -> None:
        if progress.files == 5:
            raise StopReading

    with pytest.raises(StopReading):
        read(source, cache=cache, tell=stop)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []
    logs = read(source, cache=cache, tell=told.append)
    assert counted(logs) == truth.histogram
    assert told[3].fresh == 0
    assert (told[-1].files, told[-1].bytes, told[-1].left) == (12, told[-1].of_bytes, 0)
    again = list[Progress]()
    assert counted(read(source, cache=cache, tell=again.append)) == truth.histogram
    assert (again[-1].fresh, again[-1].left) == (0, None)


def test_a_file_that_changed_is_counted_again(tmp_path: Path) -> None:
    """As is one whose note is damaged."""
    source = written(tmp_path, LINE)
    cache = tmp_path / "cache"
    assert read(source, cache=cache).requests == 1
    written(tmp_path, LINE, LINE)
    assert read(source, cache=cache).requests == 2
    for note in cache.glob("*.json"):
        note.write_text("{")
    assert read(source, cache=cache).requests == 2


def test_a_window_of_a_cached_file_needs_no_reading(tmp_path: Path) -> None:
    """Counts are kept for every minute of the file."""
    truth = make(Recipe(seed=3, lines=500, minutes=5), tmp_path / "log")
    cache = tmp_path / "cache"
    read(LocalLogs(tmp_path / "log"), cache=cache)
    told = list[Progress]()
    logs = read(LocalLogs(tmp_path / "log"), Window(START, START + timedelta(minutes=1)), cache=cache, tell=told.append)
    assert told[-1].fresh == 0
    assert logs.requests == sum(n for (minute, *_), n in truth.histogram.items() if minute * 60 == START.timestamp())


@pytest.mark.parametrize(("number", "size", "threads"), [(0, 9, 2), (1, 9, 2), (24, 3 << 20, 2), (240, 3 << 20, 8)])
def test_workers_are_sent_every_file_once_in_ever_smaller_tasks(number: int, size: int, threads: int) -> None:
    """In their order, no task above its limit by more than a file, and the last ones single files."""
    files = [LogFile(f"{n:03d}.log.gz", size, "") for n in range(number)]
    batches = list(dask._batches(files, threads))
    assert [file for batch in batches for file in batch] == files
    sizes = [len(batch) for batch in batches]
    assert sizes == sorted(sizes, reverse=True)
    assert all(one * size < dask.TASK_BYTES + size for one in sizes)
    assert sizes[-threads:] == [1] * min(threads, number)
