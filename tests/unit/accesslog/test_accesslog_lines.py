"""A good line is counted whatever its shape; a bad one is counted as such and shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.accesslog import NO_GROUP, LocalLogs, Window, read_damage
from tests.logs_made import START
from tests.unit.accesslog.logs_read import HOUR, LINE, changed, read, written

pytestmark = pytest.mark.usefixtures("way")


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


@pytest.mark.parametrize("odd", [b"\xff\xfe\x00", b"a\rb", b"x" * 3_000_000, b"a\x01b\x02", LINE.encode() + b"\r"])
def test_bytes_that_belong_in_no_log_spoil_their_line_alone(tmp_path: Path, odd: bytes) -> None:
    """No UTF-8, control characters, a line without an end; a line with a carriage return is as good as without."""
    (tmp_path / "odd.log").write_bytes(LINE.encode() + b"\n" + odd + b"\n" + LINE.encode() + b"\n")
    logs = read(LocalLogs(tmp_path))
    good = odd.startswith(b"https")
    assert (logs.requests, logs.coverage.rejected) == (3 if good else 2, {} if good else {"corrupt": 1})
