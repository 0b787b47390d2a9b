"""Counts and percentiles are those that were drawn, and the answer can be cut by service and by time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from runbook_lib.accesslog import NO_GROUP, LocalLogs, read_damage
from runbook_lib.accesslog.counting import connect, lines_of
from runbook_lib.accesslog.histogram import percentile
from runbook_lib.accesslog.statements import DUCKDB, rejects
from tests.logs_made import BAD, GROUPS, START, Recipe, Truth, make
from tests.unit.accesslog.logs_read import HOUR, MESSY, REASON, counted, read, total

pytestmark = pytest.mark.usefixtures("way")


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


def test_both_statements_reject_the_same_lines(tmp_path: Path) -> None:
    """The one that counts first and the one that judges each line, over a whole messy log."""
    truth: Truth = make(replace(MESSY, seed=99, bad=0.05, packed=False), tmp_path)
    logs = read(LocalLogs(tmp_path))
    found: Counter[str] = Counter()
    for path in truth.files:
        with connect(tmp_path, threads=1) as db:
            told = db.execute(rejects(lines_of(path, packed=False), DUCKDB)).fetchall()
        found.update({reason: n for _, reason, n, _ in told})
    assert sum(found.values()) == logs.coverage.lines - logs.coverage.counted - logs.coverage.outside
    assert found == Counter({REASON[bad]: n for bad, n in truth.bad.items()})
    assert set(truth.bad) == set(BAD)


def test_two_services_behind_one_balancer_are_told_apart(tmp_path: Path) -> None:
    """By their target groups; what has none is nobody's."""
    truth = make(Recipe(seed=4, lines=1000, minutes=5), tmp_path)
    logs = read(LocalLogs(tmp_path))
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=50)
    ours = logs.only(GROUPS[:1])
    assert counted(ours) == Counter({at: n for at, n in truth.histogram.items() if at[1] == GROUPS[0]})
    assert sum(one.requests for one in hurt.only(GROUPS[:1]).by("path").values) == ours.requests
    assert ours.requests + logs.only([GROUPS[1], NO_GROUP]).requests == logs.requests


def test_a_part_of_the_window_is_cut_from_the_answer(tmp_path: Path) -> None:
    """Before, during and after are one reading."""
    make(Recipe(seed=4, lines=1000, minutes=10), tmp_path)
    logs = read(LocalLogs(tmp_path))
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=50)
    middle = START + timedelta(minutes=4)
    first = logs.between(START, middle)
    second = logs.between(middle, HOUR.end)
    assert first.requests + second.requests == logs.requests
    assert total(hurt.between(START, middle)) == first.requests
    assert total(hurt) == logs.requests
