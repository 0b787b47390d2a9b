"""Load against capacity: the line that is hidden in the sandbox's figures is found, and sizes follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import stories

from runbook_lib import capacity, cost
from runbook_lib.account import Account
from runbook_lib.capacity import Load, Minute, Usage
from runbook_lib.documents.taskdef import fargate
from runbook_lib.errors import BadInput
from runbook_lib.sandbox.traffic.compute import IDLE, REQUESTS_PER_VCPU
from runbook_lib.story import capacity as story
from runbook_lib.system import System

T = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
World = tuple[Account, System, story.Look]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world in which version 2 was released, looked at."""
    account, system, _ = stories.begun("released")
    yield account, system, story.read(account, system, 24)
    stories.close()


def usage(*rps: float, tasks: float = 2, idle: float = 3, each: float = 0.5, memory: float = 40) -> Usage:
    """Minutes in which CPU is a line of the requests of a task."""
    minutes = (
        Minute(T + timedelta(minutes=n), 60 * rate, tasks, idle + each * rate / tasks, memory)
        for n, rate in enumerate(rps)
    )
    return Usage(tuple(minutes), 256, 512)


def test_what_a_task_carries_is_read_from_the_figures_of_the_sandbox(world: World) -> None:
    """Whose model has so many requests for a virtual CPU, and so much at rest."""
    _, _, found = world
    assert found.load is not None
    assert found.load.idle_percent == pytest.approx(IDLE, abs=0.1)
    assert found.load.percent_per_rps == pytest.approx(100 / (REQUESTS_PER_VCPU * 256 / 1024), rel=0.01)


def test_the_line_is_found_and_minutes_beside_a_change_are_left_out() -> None:
    """A task that lived for a part of a minute would bend it."""
    rates = [40 + n for n in range(12)]
    found = capacity.load(usage(*rates))
    assert found is not None
    assert (found.idle_percent, found.percent_per_rps) == (pytest.approx(3), pytest.approx(0.5))
    assert found.rps_per_task == pytest.approx((70 - 3) / 0.5)
    bent = list(usage(*rates, 52, 53, 54).minutes)
    bent[7] = replace(bent[7], tasks=4.0)
    again = capacity.load(Usage(tuple(bent), 256, 512))
    assert again is not None
    assert again.percent_per_rps == pytest.approx(0.5)


@pytest.mark.parametrize("rates", [(50.0,) * 30, (40.0, 50.0, 60.0), ()])
def test_minutes_that_do_not_tell_are_not_made_to(rates: tuple[float, ...]) -> None:
    """The same load all the time, or too few minutes."""
    assert capacity.load(usage(*rates)) is None


def test_the_cheapest_size_that_carries_the_peak_comes_first(world: World) -> None:
    """Each fits: a size that Fargate offers, with memory for the peak and enough of them."""
    _, system, _ = world
    found = usage(*(100 + n for n in range(20)), memory=95)
    line = Load(3, 0.5, 134)
    options = capacity.sizes(system, found, line)
    assert [one.usd_month for one in options] == sorted(one.usd_month for one in options)
    for one in options:
        assert one.memory_mib in fargate.memory_for(one.cpu_units)
        assert one.memory_mib >= capacity.SPARE * 0.95 * 512
        assert one.tasks * line.rps_per_task * one.cpu_units / 256 >= 119
        assert one.tasks >= 2
    assert options[0].memory_mib == 1024  # 512 would be killed at such a peak


def test_a_task_needs_a_neighbour() -> None:
    """One may fail."""
    assert capacity.tasks_for(Load(2, 1, 68), 10) == 2
    assert capacity.tasks_for(Load(2, 1, 68), 300) == 5


def test_the_second_environment_costs_what_its_tasks_cost(world: World) -> None:
    """For as long as both stood; without a release nothing."""
    _, system, found = world
    assert capacity.second_environment(system, [(timedelta(hours=1), 2)]) == pytest.approx(cost.tasks(system, 2, 1))
    assert capacity.second_environment(system, []) == 0
    assert "less than a day" in str(story.cost(*world))
    assert len(found.releases) == 2


def test_the_chart_says_how_near_the_load_came(world: World) -> None:
    """And whether its claim holds, by its own numbers."""
    chart = story.chart(*world)
    asked, could = dict(chart.data["requests"]), dict(chart.data["capacity"])
    worst = max(asked[at] / could[at] for at in asked if at in could)
    assert f"{100 * worst:.0f} %" in chart.sentence
    assert chart.sentence.endswith("The claim holds.")


def test_more_hours_than_cloudwatch_keeps_are_refused(world: World) -> None:
    """And none."""
    account, system, _ = world
    for hours in (0, 24 * 16):
        with pytest.raises(BadInput, match="1 to 336"):
            story.read(account, system, hours)
