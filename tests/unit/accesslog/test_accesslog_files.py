"""Files: packed or plain, half-written or damaged, missing, or not of this window."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.accesslog import LocalLogs, Window
from tests.logs_made import ELB, NODES, START, Recipe, key, make
from tests.unit.accesslog.logs_read import LINE, counted, read

pytestmark = pytest.mark.usefixtures("way")


def test_plain_and_packed_files_give_the_same(tmp_path: Path) -> None:
    """So do a file of several members and one that was unpacked under its name."""
    text = "".join(f"{LINE}\n" for _ in range(50)).encode()
    contents = {
        "plain.log": text,
        "packed.log.gz": gzip.compress(text),
        "members.log.gz": gzip.compress(text[: 10 * (len(LINE) + 1)]) + gzip.compress(text[10 * (len(LINE) + 1) :]),
        "unpacked.log.gz": text,
        "packed.log": gzip.compress(text),
        "endless.log.gz": gzip.compress(text[:-1]),
        "blank.log.gz": gzip.compress(text + b"\n\n"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        logs = read(LocalLogs(tmp_path / name))
        assert (logs.requests, logs.coverage.troubled) == (50, ()), name


@pytest.mark.parametrize(
    ("spoil", "least", "trouble"),
    [
        (lambda packed: packed[: len(packed) // 2], 100, "half-written"),
        (lambda packed: packed[:-8], 2999, "half-written"),
        (lambda packed: b"", 0, "half-written"),
        (lambda packed: packed[:-4] + b"\0\0\0\0", 2000, "damaged"),
        (lambda packed: packed[:3000] + b"\xff" * 8 + packed[3008:], 1, "damaged"),
    ],
)
def test_a_half_written_or_damaged_file_is_named(tmp_path: Path, spoil: Any, least: int, trouble: str) -> None:
    """What can be read of it is counted; the file beside it is not touched by that."""
    lines = [LINE.replace("TID_0a", f"TID_{number * 7919:032x}") for number in range(3000)]
    packed = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    (tmp_path / "bad.log.gz").write_bytes(spoil(packed))
    (tmp_path / "good.log.gz").write_bytes(packed)
    coverage = read(LocalLogs(tmp_path)).coverage
    assert coverage.counted >= 3000 + least
    assert coverage.counted + sum(coverage.rejected.values()) == coverage.lines
    ((name, what),) = coverage.troubled
    assert (name, what.split(":")[0]) == ("bad.log.gz", trouble)
    assert f"{name} is {trouble}" in "\n".join(coverage.sentences())


def test_only_files_of_the_window_and_the_balancer_are_opened(tmp_path: Path) -> None:
    """By the ends of the intervals in their names: what lies outside may even be unreadable."""
    truth = make(Recipe(seed=1, lines=2000, minutes=60), tmp_path)
    for path in truth.files[8:]:
        path.write_bytes(b"broken")
    other = tmp_path / key(START + timedelta(minutes=5), NODES[0], "x", balancer="app/other/1")
    other.write_bytes(b"broken")
    logs = read(LocalLogs(tmp_path, ELB), Window(START, START + timedelta(minutes=10)))
    assert (logs.coverage.files, logs.coverage.troubled, logs.coverage.rejected) == (8, (), {})
    assert counted(logs) == Counter(
        {at: n for at, n in truth.histogram.items() if at[0] * 60 < START.timestamp() + 600}
    )


def test_an_interval_without_a_file_is_a_gap(tmp_path: Path) -> None:
    """Told with its end."""
    truth = make(Recipe(seed=1, lines=200, minutes=30, nodes=NODES[:1]), tmp_path)
    truth.files[2].unlink()
    coverage = read(LocalLogs(tmp_path), Window(START, START + timedelta(minutes=30))).coverage
    assert coverage.gaps == (datetime(2026, 3, 2, 9, 15, tzinfo=UTC),)
    assert "the first ends at 2026-03-02T09:15Z" in coverage.sentences()[-1]


def test_an_interval_without_a_node_that_wrote_before_is_thin(tmp_path: Path) -> None:
    """Told with its end; a node that comes later, and intervals outside the window, are no such thing."""
    truth = make(Recipe(seed=1, lines=400, minutes=30), tmp_path)  # two nodes, a file each in six intervals
    truth.files[0].unlink()
    truth.files[5].unlink()
    coverage = read(LocalLogs(tmp_path), Window(START, START + timedelta(minutes=30))).coverage
    assert (coverage.gaps, coverage.thin) == ((), (datetime(2026, 3, 2, 9, 15, tzinfo=UTC),))
    assert "the first ends at 2026-03-02T09:15Z: nobody asked it" in coverage.sentences()[-1]
    early = read(LocalLogs(tmp_path), Window(START, START + timedelta(minutes=10))).coverage
    assert early.thin == ()
