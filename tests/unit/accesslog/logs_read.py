"""What the tests of access logs share: a messy log, a good line, and what was read of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from runbook_lib.accesslog import Damage, DuckDB, Histogram, LocalLogs, Window, read_access_logs
from tests.logs_made import START, Key, Recipe

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
    """What a log holds, counted on one thread."""
    return read_access_logs(source, window, engine=DuckDB(threads=1), **more)


def of(counter: Counter[tuple[str, str]], dimension: str) -> dict[str, int]:
    """The truth by the values of one dimension."""
    return {value: n for (name, value), n in counter.items() if name == dimension}


def changed(changes: dict[str, str]) -> str:
    """The good line with some of its parts replaced."""
    line = LINE
    for old, new in changes.items():
        assert old in line
        line = line.replace(old, new)
    return line


def total(hurt: Damage) -> int:
    """All requests of an answer."""
    return sum(one.requests for one in hurt.by("status").values)
