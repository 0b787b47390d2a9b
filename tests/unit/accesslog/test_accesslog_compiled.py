"""The compiled pass over a large log never says other than the SQL: what it is not sure of, it leaves to it."""

from __future__ import annotations

import gzip
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from runbook_lib.accesslog import DuckDB, Histogram, LocalLogs, counting, read_access_logs
from runbook_lib.accesslog.compiled import ASIDE, CHUNK, ROUTES, SLOTS, tally
from runbook_lib.accesslog.dask import counted_there
from runbook_lib.accesslog.histogram import COLUMNS
from runbook_lib.accesslog.statements import HISTOGRAM
from tests.unit.accesslog.logs_read import HOUR, LINE

CHANGES = (*'" -.:T019', '" "', " - ", "2026-02-29", "2028-02-29", "24:00", "-1 ", "arn:", '" a b - "', "ü", "\x7f", "")


def both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Histogram, Histogram]:
    """A folder as each of the two ways counts it."""
    found = []
    for large in (1 << 60, 0):
        monkeypatch.setattr(counting, "LARGE", large)
        found.append(read_access_logs(LocalLogs(folder), HOUR, engine=DuckDB(threads=1)))
    return found[0], found[1]


def equal(one: Histogram, other: Histogram) -> bool:
    """Every count, every rejected line and its sample."""
    columns = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)
    return columns and (one.groups, one.coverage) == (other.groups, other.coverage)


@pytest.mark.parametrize("seed", range(10))
def test_spoiled_lines_are_judged_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Two thousand lines, each changed in a few places by what could be mistaken."""
    chance = random.Random(seed)
    lines = []
    for _ in range(2000):
        line = LINE
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            at, cut = chance.randrange(len(line)), chance.choice((0, 0, 1, 1, 2, 9))
            line = line[:at] + chance.choice(CHANGES) + line[at + cut :]
        lines.append(line)
    (tmp_path / "one.log").write_text("\n".join(lines), encoding="utf-8")
    sql, compiled = both(tmp_path, monkeypatch)
    assert equal(sql, compiled)
    assert 0 < sql.requests < len(lines)


def test_what_is_usual_is_not_put_aside(tmp_path: Path) -> None:
    """Else the pass would be of no use, and these tests would compare SQL with itself."""
    usual = [LINE, LINE.replace(" 0.042 ", " -1 ").replace(" 200 200 ", " 502 - "), LINE.partition(" TID_")[0]]
    (tmp_path / "one.log").write_text("".join(f"{line}\n" for line in usual * 10), encoding="utf-8")
    assert tally(tmp_path / "one.log", tmp_path / "odd", packed=False).requests == 30
    assert (tmp_path / "odd").read_bytes() == b""


def test_workers_count_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question and the file come to them from another process."""
    (tmp_path / "one.log").write_text(LINE + "\n", encoding="utf-8")
    logs = LocalLogs(tmp_path)
    sent = pickle.loads(pickle.dumps((logs.remote(), logs.files(HOUR), HISTOGRAM)))
    monkeypatch.setattr(counting, "_by_sql", None)  # a call of it would fail
    ((_, note),) = counted_there(*sent, True)
    assert note.lines == 1


def test_nothing_is_lost_where_room_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More durations than the table has slots, more routes and odd lines than are kept, lines across reads."""
    many = [LINE.replace(" 0.042 ", f" {number / 1000:.3f} ") for number in range(2 * SLOTS)]
    many += [LINE.replace("targetgroup/a/1", f"targetgroup/a/{number}") for number in range(ROUTES + 50)]
    many += ["not a line"] * (ASIDE + 50) + ["x" * (CHUNK + 5), LINE]
    (tmp_path / "one.log.gz").write_bytes(gzip.compress("\n".join(many).encode(), 1))
    sql, compiled = both(tmp_path, monkeypatch)
    assert equal(sql, compiled)
    assert (compiled.requests, len(compiled.groups)) == (2 * SLOTS + ROUTES + 51, ROUTES + 50)
    assert compiled.coverage.rejected == {"corrupt": ASIDE + 51}


def test_it_is_only_for_large_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only where its libraries are."""
    (tmp_path / "one.log").write_text(LINE + "\n", encoding="utf-8")
    files = LocalLogs(tmp_path).files(HOUR)
    assert not counting.is_large(files)
    monkeypatch.setattr(counting, "LARGE", len(LINE) + 1)
    assert counting.is_large(files)
    monkeypatch.setattr(counting, "find_spec", lambda name: None)
    assert not counting.is_large(files)
