"""Access logs are read exactly: what was drawn is found again, and what cannot be read is counted and shown."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runbook_lib.accesslog import (
    NO_GROUP,
    Damage,
    DuckDB,
    Histogram,
    LocalLogs,
    NoAccessLog,
    Progress,
    Window,
    counting,
    read_access_logs,
    read_damage,
)
from runbook_lib.accesslog.counting import connect, lines_of
from runbook_lib.accesslog.histogram import percentile
from runbook_lib.accesslog.statements import DIMENSIONS, DUCKDB, rejects
from runbook_lib.errors import BadInput
from tests.logs_made import BAD, ELB, GROUPS, NODES, START, Key, Recipe, Truth, key, make

HOUR = Window(START, START + timedelta(hours=1))
MESSY = Recipe(seed=0, lines=3000, minutes=15, clients=300, bad=0.01, old=0.1, more=0.1)
REASON = {"quote": "shifted", "cut": "truncated", "garbage": "corrupt"}
LINE = (
    "https 2026-03-02T09:37:10.186641Z app/orders/50dc6c495c0c9188 203.0.113.9:41822 10.0.1.21:8080 0.001 0.042 0.000 "
    '200 200 312 1488 "GET https://orders.example.test:443/v1/orders/7?a=b HTTP/1.1" "curl/8.5.0" '
    "TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/1 "
    '"Root=1-69a55c36-36d228ad5d99923122bbe354" "orders.example.test" "arn:aws:acm:us-east-1:1:certificate/1" 0 '
    '2026-03-02T09:37:10.142000Z "forward" "-" "-" "10.0.1.21:8080" "200" "-" "-" TID_0a "-" "-" "-" 198.51.100.20'
)


@pytest.fixture(autouse=True, params=["SQL", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test twice: as small logs are counted, and as large ones are."""
    way: str = request.param
    monkeypatch.setattr(counting, "LARGE", 0 if way == "compiled" else 1 << 60)
    return way


def counted(logs: Histogram) -> Counter[Key]:
    """The requests as the truth has them."""
    found: Counter[Key] = Counter()
    columns = (logs.minute, logs.group, logs.ms, logs.n)
    for minute, group, ms, n in zip(*(column.tolist() for column in columns), strict=True):
        found[minute, logs.groups[group], ms] += n
    return found


def written(folder: Path, *lines: str, name: str = "one.log") -> LocalLogs:
    """A log of these lines."""
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return LocalLogs(folder)


def read(source: LocalLogs, window: Window = HOUR, **more: Any) -> Histogram:
    return read_access_logs(source, window, engine=DuckDB(threads=1), **more)


# ---- exact


@pytest.mark.parametrize("seed", range(20))
def test_counts_and_percentiles_are_those_that_were_drawn(tmp_path: Path, seed: int) -> None:
    """Every minute, group and millisecond; percentiles as numpy has them of the single durations."""
    truth = make(replace(MESSY, seed=seed, packed=seed % 2 == 0), tmp_path)
    logs = read(LocalLogs(tmp_path))
    assert counted(logs) == truth.histogram
    assert (logs.elb_5xx, logs.target_5xx) == (truth.elb_5xx.total(), truth.target_5xx.total())
    assert logs.coverage.rejected == {REASON[bad]: n for bad, n in truth.bad.items()}
    for minute in logs.minutes(slow_ms=100):
        drawn = truth.milliseconds.get((int(minute.at.timestamp()) // 60, minute.group))
        told = (minute.p50, minute.p95, minute.p99)
        assert told == ((None,) * 3 if drawn is None else tuple(np.percentile(drawn, (50, 95, 99)).tolist()))
        assert minute.slow == sum(ms > 100 for ms in drawn or ())


@pytest.mark.parametrize("seed", range(20, 25))
def test_damage_is_what_was_drawn(tmp_path: Path, seed: int) -> None:
    """By every dimension: requests and failures."""
    truth = make(replace(MESSY, seed=seed), tmp_path)
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=100, engine=DuckDB(threads=1))
    for dimension in ("path", "client", "status", "target", "user_agent"):
        found = hurt.by(dimension)
        assert found.exact
        assert {one.value: one.requests for one in found.values} == of(truth.requests, dimension)
        assert {one.value: one.failed for one in found.values if one.failed} == of(truth.failed, dimension)
    assert hurt.coverage.rejected == {REASON[bad]: n for bad, n in truth.bad.items()}
    assert sum(one.slow for one in hurt.by("path").values) == read(LocalLogs(tmp_path)).slow(100)


def of(counter: Counter[tuple[str, str]], dimension: str) -> dict[str, int]:
    return {value: n for (name, value), n in counter.items() if name == dimension}


@pytest.mark.parametrize("percent", [0, 1, 33.3, 50, 95, 99.9, 100])
def test_a_percentile_is_numpys_to_the_last_bit(percent: float) -> None:
    """Also where it lies between two values."""
    rng = np.random.default_rng(5)
    values, counts = rng.permutation(500)[:40], rng.integers(1, 9, 40)
    assert percentile(values, counts, percent) == np.percentile(np.repeat(values, counts), percent)


def test_a_percentile_of_nothing_is_none() -> None:
    """And one beyond 100 is refused."""
    assert percentile(np.array([]), np.array([], dtype=int), 50) is None
    with pytest.raises(ValueError, match="percentile 101"):
        percentile(np.array([1]), np.array([1]), 101)


# ---- lines


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ("arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/1", 200, 200, 42)),
        ({" 200 200 ": " 502 - ", " 0.042 ": " -1 "}, (None, 502, 0, -1)),
        ({"203.0.113.9:41822": "2001:db8::9:41822"}, (None, 200, 200, 42)),
        ({"https 2026": "wss 2026"}, (None, 200, 200, 42)),
        ({"https 2026": "grpcs 2026"}, (None, 200, 200, 42)),
        ({"curl/8.5.0": "Mozilla \\x22quoted\\x22 \\\\ (x; y)"}, (None, 200, 200, 42)),
        ({"curl/8.5.0": "ünïcode 漢字"}, (None, 200, 200, 42)),
        ({"curl/8.5.0": ""}, (None, 200, 200, 42)),
        ({" 200 200 ": " 000 - "}, (None, 0, 0, 42)),
        ({' TID_0a "-" "-" "-" 198.51.100.20': ""}, (None, 200, 200, 42)),
        ({"198.51.100.20": '198.51.100.20 "new" 7 "fields"'}, (None, 200, 200, 42)),
        ({" 0.042 ": " 59.999 "}, (None, 200, 200, 59999)),
        ({"arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/1": "-"}, (NO_GROUP, 200, 200, 42)),
    ],
)
def test_a_good_line_is_counted(tmp_path: Path, changes: dict[str, str], told: tuple[Any, ...]) -> None:
    """IPv6, WebSockets, gRPC, escapes, old lines and future ones."""
    logs = read(written(tmp_path, changed(changes)))
    assert logs.requests == 1
    assert (int(logs.status[0]), int(logs.answered[0]), int(logs.ms[0])) == told[1:]
    assert told[0] in (None, logs.groups[0])


def changed(changes: dict[str, str]) -> str:
    line = LINE
    for old, new in changes.items():
        assert old in line
        line = line.replace(old, new)
    return line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"curl/8.5.0": 'a " quote'}, "shifted"),
        ({"curl/8.5.0": 'a "quoted" word'}, "shifted"),
        ({"curl/8.5.0": '"'}, "shifted"),
        ({"orders/7?a=b": 'orders/"7"?a=b'}, "shifted"),
        ({"Root=1": 'Root"=1'}, "shifted"),
        ({"Root=1": 'Root"x"=1'}, "shifted"),
        ({LINE[300:]: ""}, "truncated"),
        ({LINE[30:]: ""}, "truncated"),
        ({"https 2026-03-02T09:37": "nonsense"}, "corrupt"),
        ({"T09:37:10.186641Z": "T09:77:10.186641Z"}, "corrupt"),
        ({"2026-03-02T09:37:10.186641Z": "2026-02-30T09:37:10.186641Z"}, "corrupt"),
        ({" 200 200 ": " 2000 200 "}, "corrupt"),
        ({" 0.042 ": " fast "}, "corrupt"),
        ({"203.0.113.9:41822 ": ""}, "corrupt"),
        ({"arn:aws:elasticloadbalancing": "elasticloadbalancing"}, "corrupt"),
    ],
)
def test_a_bad_line_is_counted_as_such_and_shown(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    """Never dropped silently, and no line beside it either; both questions say the same."""
    bad = changed(changes)
    source = written(tmp_path, LINE, bad, LINE)
    for answer in (read(source), read_damage(source, HOUR, slow_ms=1)):
        coverage = answer.coverage
        assert (coverage.counted, coverage.rejected) == (2, {reason: 1})
        assert [one.sample for one in coverage.rejects] == [bad[:500]]
        assert "1 lines were not counted" in coverage.sentences()[1]


def test_lines_of_another_time_are_told_apart(tmp_path: Path) -> None:
    """The lines' own times count, to the minute."""
    source = written(tmp_path, LINE, LINE.replace("09:37:10.186641Z", "09:38:00.000000Z"))
    logs = read(source, Window(START + timedelta(minutes=37), START + timedelta(minutes=38)))
    assert (logs.requests, logs.coverage.outside) == (1, 1)


# ---- files


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


@pytest.mark.parametrize("odd", [b"\xff\xfe\x00", b"a\rb", b"x" * 3_000_000, b"a\x01b\x02", LINE.encode() + b"\r"])
def test_bytes_that_belong_in_no_log_spoil_their_line_alone(tmp_path: Path, odd: bytes) -> None:
    """No UTF-8, control characters, a line without an end; a line with a carriage return is as good as without."""
    (tmp_path / "odd.log").write_bytes(LINE.encode() + b"\n" + odd + b"\n" + LINE.encode() + b"\n")
    logs = read(LocalLogs(tmp_path))
    good = odd.startswith(b"https")
    assert (logs.requests, logs.coverage.rejected) == (3 if good else 2, {} if good else {"corrupt": 1})


# ---- bad input


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


def test_a_dimension_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the nearest one."""
    hurt = read_damage(written(tmp_path, LINE), HOUR, slow_ms=1)
    with pytest.raises(BadInput, match="did you mean client"):
        hurt.by("clients")
    with pytest.raises(BadInput, match="slow_ms -1"):
        read_damage(written(tmp_path, LINE), HOUR, slow_ms=-1)


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


# ---- going on


class StopReading(Exception):
    """Somebody presses Ctrl-C."""


def test_a_reading_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """What was counted is not read again; the answer is the same, also when it is asked a third time."""
    truth, cache = make(Recipe(seed=3, lines=2000, minutes=30), tmp_path / "log"), tmp_path / "cache"
    source, told = LocalLogs(tmp_path / "log"), list[Progress]()

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
    source, cache = written(tmp_path, LINE), tmp_path / "cache"
    assert read(source, cache=cache).requests == 1
    written(tmp_path, LINE, LINE)
    assert read(source, cache=cache).requests == 2
    for note in cache.glob("*.json"):
        note.write_text("{")
    assert read(source, cache=cache).requests == 2


def test_a_window_of_a_cached_file_needs_no_reading(tmp_path: Path) -> None:
    """Counts are kept for every minute of the file."""
    truth, cache = make(Recipe(seed=3, lines=500, minutes=5), tmp_path / "log"), tmp_path / "cache"
    read(LocalLogs(tmp_path / "log"), cache=cache)
    told = list[Progress]()
    logs = read(LocalLogs(tmp_path / "log"), Window(START, START + timedelta(minutes=1)), cache=cache, tell=told.append)
    assert told[-1].fresh == 0
    assert logs.requests == sum(n for (minute, *_), n in truth.histogram.items() if minute * 60 == START.timestamp())


# ---- several services, zones, many values


def test_two_services_behind_one_balancer_are_told_apart(tmp_path: Path) -> None:
    """By their target groups; what has none is nobody's."""
    truth = make(Recipe(seed=4, lines=1000, minutes=5), tmp_path)
    logs, hurt = read(LocalLogs(tmp_path)), read_damage(LocalLogs(tmp_path), HOUR, slow_ms=50)
    ours = logs.only(GROUPS[:1])
    assert counted(ours) == Counter({at: n for at, n in truth.histogram.items() if at[1] == GROUPS[0]})
    assert sum(one.requests for one in hurt.only(GROUPS[:1]).by("path").values) == ours.requests
    assert ours.requests + logs.only([GROUPS[1], NO_GROUP]).requests == logs.requests


def test_a_part_of_the_window_is_cut_from_the_answer(tmp_path: Path) -> None:
    """Before, during and after are one reading."""
    make(Recipe(seed=4, lines=1000, minutes=10), tmp_path)
    logs, hurt = read(LocalLogs(tmp_path)), read_damage(LocalLogs(tmp_path), HOUR, slow_ms=50)
    middle = START + timedelta(minutes=4)
    first, second = logs.between(START, middle), logs.between(middle, HOUR.end)
    assert first.requests + second.requests == logs.requests
    assert total(hurt.between(START, middle)) == first.requests
    assert total(hurt) == logs.requests


def total(hurt: Damage) -> int:
    return sum(one.requests for one in hurt.by("status").values)


def test_zones_are_those_of_the_targets_subnets(tmp_path: Path) -> None:
    """What was sent to no target has none."""
    truth = make(Recipe(seed=4, lines=1000, minutes=5), tmp_path)
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=50)
    zones = {one.value: one.requests for one in hurt.by_zone({"10.0.1.0/24": "a"}).values}
    by_target = of(truth.requests, "target")
    assert zones["a"] == sum(n for target, n in by_target.items() if target.startswith("10.0.1."))
    assert zones["?"] == sum(n for target, n in by_target.items() if target.startswith("10.0.2."))
    assert zones["-"] == by_target["-"]


def test_too_many_values_are_summed_up_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was hurt is kept apart first; no request is lost."""
    monkeypatch.setattr("runbook_lib.accesslog.statements.ROWS", 20)
    lines = [LINE.replace("203.0.113.9:", f"203.0.113.{number}:") for number in range(100)]
    lines.append(LINE.replace("203.0.113.9:", "192.0.2.1:").replace(" 200 200 ", " 500 500 "))
    hurt = read_damage(written(tmp_path, *lines), HOUR, slow_ms=1000)
    found = hurt.by("client")
    assert (found.exact, found.folded, found.others.requests, len(found.values)) == (False, 81, 81, 20)
    assert [one.value for one in found.worst(5)] == ["192.0.2.1"]
    assert hurt.coverage.counted == 101


def test_both_statements_reject_the_same_lines(tmp_path: Path) -> None:
    """The one that counts first and the one that judges each line, over a whole messy log."""
    truth: Truth = make(replace(MESSY, seed=99, bad=0.05, packed=False), tmp_path)
    logs = read(LocalLogs(tmp_path))
    found: Counter[str] = Counter()
    for path in truth.files:
        with connect(tmp_path, threads=1) as db:
            found.update({r: n for _, r, n, _ in db.execute(rejects(lines_of(path, packed=False), DUCKDB)).fetchall()})
    assert sum(found.values()) == logs.coverage.lines - logs.coverage.counted - logs.coverage.outside
    assert found == Counter({REASON[bad]: n for bad, n in truth.bad.items()})
    assert set(truth.bad) == set(BAD)


def test_dimensions_have_a_value_each(tmp_path: Path) -> None:
    """Of the line of AWS's own shape."""
    hurt = read_damage(written(tmp_path, LINE), HOUR, slow_ms=41)
    found = {name: hurt.by(name).values[0].value for name in DIMENSIONS}
    assert json.loads(json.dumps(found)) == {
        "path": "/v1/orders/7",
        "client": "203.0.113.9",
        "status": "200/200",
        "target": "10.0.1.21:8080",
        "node": "198.51.100.20",
        "user_agent": "curl/8.5.0",
    }
    assert hurt.by("path").values[0].slow == 1
