"""Damage is what was drawn, by every dimension; what is too much to keep apart is summed up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runbook_lib.accesslog import DuckDB, LocalLogs, read_damage
from runbook_lib.accesslog.statements import DIMENSIONS
from runbook_lib.errors import BadInput
from tests.logs_made import Recipe, make
from tests.unit.accesslog.logs_read import HOUR, LINE, MESSY, REASON, of, read, written

pytestmark = pytest.mark.usefixtures("way")


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


def test_a_dimension_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the nearest one."""
    hurt = read_damage(written(tmp_path, LINE), HOUR, slow_ms=1)
    with pytest.raises(BadInput, match="did you mean client"):
        hurt.by("clients")
    with pytest.raises(BadInput, match="slow_ms -1"):
        read_damage(written(tmp_path, LINE), HOUR, slow_ms=-1)


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


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        ("10.0.1.21:8080", "a"),
        ("[2001:db8:0:1::21]:8080", "b"),
        ("[2001:db8:0:2::21]:8080", "?"),
        ("10.0.9.1:8080", "?"),
        ("nonsense", "?"),
        ("-", "-"),
    ],
)
def test_a_target_of_either_kind_has_a_zone(tmp_path: Path, target: str, zone: str) -> None:
    """An IPv6 address stands between brackets; what is no address has no zone, and is no reason to stop."""
    hurt = read_damage(written(tmp_path, LINE.replace(" 10.0.1.21:8080 ", f" {target} ")), HOUR, slow_ms=50)
    found = hurt.by_zone({"10.0.1.0/24": "a", "2001:db8:0:1::/64": "b"})
    assert [(one.value, one.requests) for one in found.values] == [(zone, 1)]


def test_failures_without_a_target_group_are_taken_when_they_are_asked_for(tmp_path: Path) -> None:
    """A redirect has no target group either, and is no failure; both answers agree."""
    own = LINE.split("arn:aws:elasticloadbalancing")[1].split(" ")[0]
    group = f"arn:aws:elasticloadbalancing{own}"
    nobodys = LINE.replace(group, "-").replace(" 10.0.1.21:8080 ", " - ").replace(" 0.001 0.042 0.000 ", " -1 -1 -1 ")
    lines = [LINE, *[nobodys.replace(" 200 200 ", " 503 - ")] * 3, *[nobodys.replace(" 200 200 ", " 301 - ")] * 5]
    source = written(tmp_path, *lines)
    hurt, logs = read_damage(source, HOUR, slow_ms=1000), read(source)
    for lost, requests in ((False, 1), (True, 4)):
        told = hurt.only([group], lost=lost).by("client").values
        seen = logs.only([group], lost=lost)
        assert (seen.requests, seen.elb_5xx) == (requests, requests - 1)
        assert [(one.requests, one.elb_5xx) for one in told] == [(requests, requests - 1)]
    assert logs.only(["-"]).requests == logs.only(["-"], lost=True).requests == 8
    assert hurt.only(["-"], lost=True).by("client").values[0].requests == 8
