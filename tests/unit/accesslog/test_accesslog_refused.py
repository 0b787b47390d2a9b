"""What cannot be read is refused, with what is there and what else there is to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.accesslog import LocalLogs, NoAccessLog, Window, read_access_logs
from runbook_lib.errors import BadInput
from tests.logs_made import ELB, NODES, START, Recipe, key, make
from tests.unit.accesslog.logs_read import HOUR

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ((), "without a .log or .log.gz"),
        (("notes.txt",), "without a .log or .log.gz"),
        ((key(START, NODES[0], "x"),), "end from 2026-03-02T09:00Z to 2026-03-02T09:00Z"),
        ((key(START + timedelta(hours=12), NODES[0], "x", balancer="app/other/1"),), "none of app/orders"),
    ],
)
def test_no_log_of_that_time_is_said(tmp_path: Path, files: tuple[str, ...], told: str) -> None:
    """With what is there instead."""
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    later = Window(START + timedelta(hours=11), START + timedelta(hours=12))
    with pytest.raises(NoAccessLog, match=told):
        read_access_logs(LocalLogs(tmp_path, ELB), later)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(NoAccessLog, match=r"no .*nowhere"):
        read_access_logs(LocalLogs(tmp_path / "nowhere"), HOUR)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (START, START, "an end after the start"),
        (START, START - timedelta(hours=1), "an end after the start"),
        (START, START + timedelta(days=400), "at most 366 days"),
        (START.replace(tzinfo=None), START, "without a time zone"),
    ],
)
def test_a_window_that_is_none_is_refused(start: datetime, end: datetime, told: str) -> None:
    """Before anything is read."""
    with pytest.raises(BadInput, match=told):
        Window(start, end)


def test_a_window_is_widened_to_whole_minutes() -> None:
    """In UTC."""
    window = Window(START + timedelta(seconds=30), START + timedelta(seconds=61))
    assert str(window) == "2026-03-02 09:00 to 09:02 UTC"


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    """With what else there is to do."""
    make(Recipe(seed=1, lines=1000, minutes=5), tmp_path)
    with pytest.raises(BadInput, match=r"2 files with 0\.0 GB.*Athena"):
        read_access_logs(LocalLogs(tmp_path), HOUR, most_bytes=1000)
