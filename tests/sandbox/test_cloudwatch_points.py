"""Points that are packed, rolled up and forgotten as they age: what can be read of them stays exact."""

from __future__ import annotations

import math
import random
from functools import cache
from typing import Any

import pytest
from cloudwatch_stage import NAMESPACE, Stage, fresh

from runbook_lib.sandbox.services.cloudwatch import points as kept
from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, StatisticSet, merged
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, MINUTE, Part, Points

START = 1_772_442_000 // HOUR * HOUR


@cache
def drawn(seed: int) -> Histogram:
    """Latencies of a minute, some thousands."""
    chance = random.Random(seed)
    counts: dict[float, float] = {}
    for _ in range(3000):
        value = round(chance.lognormvariate(-3.2, 0.35), 3)
        counts[value] = counts.get(value, 0) + 1
    return Histogram.of(counts)


def minutes(many: int, *, unit: str = "Seconds") -> Points:
    """So many minutes of a metric, each visible some minutes later."""
    points = Points()
    for minute in range(many):
        at = START + MINUTE * minute
        points.add(at, Part(at + 180.0, drawn(minute), unit))
    return points


def read(points: Points, start: float, end: float) -> dict[int, Histogram]:
    """The samples by minute."""
    found: dict[int, list[Histogram]] = {}
    for at, part in points.between(start, end):
        found.setdefault(at, []).append(part.samples)
    return {at: merged(samples) for at, samples in sorted(found.items())}


@pytest.mark.parametrize(("start", "end"), [(0, 3 * HOUR), (1800, 5400), (3599, 3661), (7200, 7260), (-DAY, DAY)])
def test_a_packed_hour_reads_as_before(start: float, end: float) -> None:
    """Every sample of every minute, whichever stretch is asked for."""
    points = minutes(150)
    before = read(points, START + start, START + end)
    points.pack(START + 3 * HOUR)
    assert sorted(points.packed) == [START, START + HOUR]
    assert min(points.open) == START + 2 * HOUR
    assert read(points, START + start, START + end) == before


def test_what_cannot_be_read_yet_is_not_packed() -> None:
    """A late point of an hour that is over keeps it open."""
    points = minutes(60)
    points.add(START, Part(START + 3 * HOUR, Histogram.one(1.0)))
    points.pack(START + 2 * HOUR)
    assert points.packed == {}
    points.pack(START + 3 * HOUR)
    assert (list(points.packed), points.open) == ([START], {})


def test_a_point_may_come_into_a_packed_hour() -> None:
    """PutMetricData takes what is two weeks old."""
    points = minutes(60)
    points.pack(START + 2 * HOUR)
    points.add(START + 60, Part(START + 2 * HOUR, Histogram.one(9.0, 5)))
    points.pack(START + 4 * HOUR)
    assert read(points, START + 60, START + 120) == {START + 60: merged([drawn(1), Histogram.one(9.0, 5)])}


@pytest.mark.parametrize(("days", "step"), [(1, 60), (16, 300), (64, 3600)])
def test_points_are_rolled_up_with_every_sample(days: int, step: int) -> None:
    """To five minutes after 15 days and to an hour after 63: percentiles of the longer period are still exact."""
    points = minutes(60)
    points.pack(START + 2 * HOUR)
    points.age(START + days * DAY)
    found = read(points, START, START + HOUR)
    assert list(found) == list(range(START, START + HOUR, step))
    many = step // MINUTE
    assert found[START] == merged(drawn(minute) for minute in range(many))
    assert found[START].statistic("p99") == merged(drawn(minute) for minute in range(many)).statistic("p99")


def test_seconds_are_rolled_up_to_minutes_and_all_is_forgotten_after_455_days() -> None:
    """Three hours for points of a second (GetMetricData, Period)."""
    points = Points()
    for second in range(120):
        points.add(START + second, Part(START, Histogram.one(float(second))))
    points.pack(START + 2 * HOUR)
    assert len(read(points, START, START + HOUR)) == 120
    points.age(START + 5 * HOUR)
    assert [samples.number for samples in read(points, START, START + HOUR).values()] == [60, 60]
    points.age(START + 455 * DAY)
    assert points
    points.age(START + 456 * DAY + HOUR)
    assert not points


@pytest.mark.parametrize(
    "samples",
    [
        Histogram.one(-3.5, 0.25),
        Histogram.of({0.1: 2.5, 7.0: 1e20}),
        Histogram(sets=(StatisticSet(4.0, 10.0, 1.0, 4.0),)),
        Histogram((1.0,), (3,), (StatisticSet(4.0, 10.0, 1.0, 4.0), StatisticSet(2.0, 3.0, 1.0, 2.0))),
        Histogram.of({float(value): 1 for value in range(1000)}),
    ],
    ids=["fractions", "large counts", "a set", "values and sets", "many values"],
)
def test_every_kind_of_samples_can_be_packed(samples: Histogram) -> None:
    """Counts that are no whole numbers, and statistic sets, too."""
    points = Points()
    points.add(START, Part(START, samples, "Percent"))
    points.add(START, Part(START, Histogram.one(1.0), "Count"))
    points.pack(START + 2 * HOUR)
    told = {part.unit: part.samples for _, part in points.between(START, START + 1)}
    assert told == {"Percent": samples, "Count": Histogram.one(1.0)}


def test_an_hour_takes_little() -> None:
    """3,000 latencies a minute in at most 8 KB an hour, where objects would take half a megabyte."""
    points = minutes(60)
    points.pack(START + 2 * HOUR)
    assert points.packed[START][1].size < 8000


def test_a_world_reads_the_same_after_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics of packed hours, their units, and that the metric is still listed."""
    stage = fresh()
    stage.world.run_until(stage.start + 3 * HOUR)
    stage.put("Latency", *(float(minute % 7) for minute in range(180)), Unit="Seconds")
    before = statistics(stage)
    for hour in range(4, 30):
        stage.world.run_until(stage.start + hour * HOUR)
        stage.watch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Other", "Value": 1.0}])
    assert stage.world.store("cloudwatch").points[metric()].open == {}
    assert statistics(stage) == before
    assert len(before) == 180
    assert "Latency" in [one["MetricName"] for one in stage.watch.list_metrics(Namespace=NAMESPACE)["Metrics"]]
    monkeypatch.setattr(kept, "unpacked", lambda content, hour: iter(()))
    assert statistics(stage) == []  # it was read from what is packed


def metric() -> Any:
    from runbook_lib.sandbox.services.cloudwatch.store import key

    return key(NAMESPACE, "Latency", {})


def statistics(stage: Stage) -> list[Any]:
    """Of every minute of three hours, in their order."""
    asked = {"StartTime": stage.world.datetime(stage.start), "EndTime": stage.world.datetime(stage.start + 3 * HOUR)}
    told = stage.watch.get_metric_statistics(
        Namespace=NAMESPACE, MetricName="Latency", Period=60, Statistics=["Sum"], ExtendedStatistics=["p90"], **asked
    )
    return sorted(((one["Timestamp"], one["Sum"], one["Unit"]) for one in told["Datapoints"]), key=str)


def test_a_step_is_known_for_every_age() -> None:
    """From a second to an hour; what is too old is forgotten, not rolled up."""
    ages = (0, 3 * HOUR, 3 * HOUR + 1, 15 * DAY, 16 * DAY, 64 * DAY, math.inf)
    assert [kept.step_at(age) for age in ages] == [1, 1, 60, 60, 300, 3600, 3600]
