"""Load against capacity: the line that is hidden in the sandbox's figures is found, and sizes follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import stories

from runbook_lib import capacity, cost, scaling
from runbook_lib.account import Account
from runbook_lib.capacity import Load, Minute, Side, Usage
from runbook_lib.cost import TaskSize
from runbook_lib.documents.taskdef import fargate
from runbook_lib.errors import BadInput
from runbook_lib.sandbox.traffic.compute import IDLE, REQUESTS_PER_VCPU
from runbook_lib.scaling import Activity, Target
from runbook_lib.story import capacity as story
from runbook_lib.story import chapters, forecasting
from runbook_lib.story import release as releasing
from runbook_lib.system import System
from runbook_lib.table import Table

T = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
World = tuple[Account, System, story.Look]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world in which version 2 was released, looked at."""
    account, system, _ = stories.begun("released")
    yield account, system, story.read(account, system, 24)
    stories.close()


SMALL = TaskSize(256, 512)
ONE, OTHER = "orders-a", "orders-b"


def usage(
    *rps: float, tasks: float = 2, idle: float = 3, each: float = 0.5, memory: float = 40, size: TaskSize = SMALL
) -> Usage:
    """Minutes in which CPU is a line of the requests of a task; one target group takes all of them."""
    minutes = (
        Minute(
            T + timedelta(minutes=n),
            60 * rate,
            tasks,
            idle + each * rate / tasks,
            memory,
            (Side(ONE, 60 * rate, tasks),),
        )
        for n, rate in enumerate(rps)
    )
    return Usage(tuple(minutes), size)


def cell(found: Table, what: str, column: int = 1) -> str:
    """A cell of the row that begins so."""
    return next(row[column] for row in found.rows if row[0].startswith(what))


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
    again = capacity.load(Usage(tuple(bent), SMALL))
    assert again is not None
    assert again.percent_per_rps == pytest.approx(0.5)


@pytest.mark.parametrize("rates", [(50.0,) * 30, (40.0, 50.0, 60.0), ()])
def test_minutes_that_do_not_tell_are_not_made_to(rates: tuple[float, ...]) -> None:
    """The same load all the time, or too few minutes."""
    assert capacity.load(usage(*rates)) is None


def test_what_rises_by_chance_alone_is_no_line() -> None:
    """CPU that wanders has nearly always some slope."""
    noise = [5, 9, 2, 8, 3, 9, 4, 7, 2, 9, 5, 8, 4, 9, 3, 8.5]
    minutes = tuple(
        replace(minute, cpu=float(cpu)) for minute, cpu in zip(usage(*range(40, 56)).minutes, noise, strict=True)
    )
    assert capacity.load(Usage(minutes, SMALL)) is None


def test_a_line_that_would_begin_below_zero_begins_there() -> None:
    """A task at rest takes nothing, not less."""
    found = capacity.load(usage(*(40 + n for n in range(12)), idle=-4))
    assert found is not None
    assert found.idle_percent == 0
    assert 0 < found.percent_per_rps < 0.5


def test_percentages_of_another_size_are_left_out() -> None:
    """Tasks had half the CPU for the first half: the same work was twice the percentage."""
    before, after = usage(*(40 + n for n in range(12)), idle=6, each=1), usage(*(40 + n for n in range(12)))
    later = tuple(replace(minute, at=minute.at + timedelta(minutes=12)) for minute in after.minutes)
    both = Usage((*before.minutes, *later), SMALL, sized=later[0].at)
    found = capacity.load(both)
    assert found is not None
    assert found.percent_per_rps == pytest.approx(0.5)
    assert both.peak("cpu") == after.peak("cpu")
    assert both.peak("requests") == 60 * 51


def test_the_cheapest_size_that_carries_the_peak_comes_first(world: World) -> None:
    """Each fits: a size that Fargate offers, with memory for the peak and enough of them; today's is shown as it is."""
    _, system, _ = world
    found = usage(*(100 + n for n in range(20)), memory=95)
    line = Load(3, 0.5)
    options = capacity.sizes(system, found, line)
    assert [one.usd_month for one in options] == sorted(one.usd_month or 0 for one in options)
    for one in options:
        cpu, memory = one.size.cpu_units, one.size.memory_mib
        assert memory in fargate.memory_for(cpu)
        assert memory >= capacity.SPARE * 0.95 * 512 or one.size == SMALL
        assert one.tasks is not None
        assert one.tasks * line.on(cpu / 256).rps_per_task >= 119
        assert one.tasks >= 2
    (today,) = (one for one in options if one.size == SMALL)
    assert "less than 1.3 times of it" in today.why
    assert options[1].size == TaskSize(256, 1024)  # 512 would be killed at such a peak


def test_what_a_task_takes_at_rest_is_more_of_a_smaller_one(world: World) -> None:
    """40 % of 512 CPU units are 80 % of 256: no number of those carries anything, and they are not offered."""
    _, system, _ = world
    found = usage(*(20 + n for n in range(20)), idle=40, each=0.5, size=TaskSize(512, 1024))
    line = capacity.load(found)
    assert line is not None
    options = {one.size.cpu_units: one for one in capacity.sizes(system, found, line)}
    assert 256 not in options
    assert options[512].tasks == 2
    assert "at rest its CPU is at 20.0 %, 200 requests a second each" in options[1024].why


def test_a_task_that_is_busy_at_rest_carries_nothing(world: World) -> None:
    """No number of tasks reaches it, and every answer says so."""
    account, system, look = world
    found = usage(*(5 + n for n in range(20)), idle=72, each=0.5)
    line = capacity.load(found)
    assert line is not None
    assert capacity.tasks_for(line, 10) is None
    busy = replace(look, usage=found, load=line)
    assert cell(story.carried(account, system, busy), "tasks needed").startswith("no number of them: at rest")
    assert "no number of them: at rest its CPU is at 72 %" in cell(story.sizes(account, system, busy), "256 CPU", 4)
    assert cell(story.sizes(account, system, busy), "512 CPU", 1) == "no"
    assert "nothing could be carried" in story.chart(account, system, busy).sentence


def test_a_task_needs_a_neighbour() -> None:
    """One may fail."""
    assert capacity.tasks_for(Load(2, 1), 10) == 2
    assert capacity.tasks_for(Load(2, 1), 300) == 5


@pytest.mark.parametrize(
    ("blue", "green", "carried"),
    [
        (Side(ONE, 600, 2), Side(OTHER, 0, 2), 200),  # green waits for its shift
        (Side(ONE, 0, 2), Side(OTHER, 600, 2), 200),  # blue waits to be terminated
        (Side(ONE, 300, 2), Side(OTHER, 300, 2), 400),
        (Side(ONE, 540, 2), Side(OTHER, 60, 2), 222.2),  # blue is busy first
        (Side(ONE, 300, 4), Side(OTHER, 300, 1), 200),  # green is
        (Side(ONE, 0, 2), Side(OTHER, 0, 2), None),
        (Side(ONE, 600, None), Side(OTHER, 0, 2), None),
    ],
)
def test_capacity_is_of_the_tasks_that_take_the_traffic(blue: Side, green: Side, carried: float | None) -> None:
    """A hundred requests a second are what each can carry; those without traffic add nothing."""
    minute = Minute(T, blue.requests + green.requests, 4, 10, 40, (blue, green))
    found = minute.carries(Load(20, 0.5))
    assert found == (None if carried is None else pytest.approx(carried, abs=0.1))


def test_the_second_environment_costs_what_its_tasks_cost(world: World) -> None:
    """For as long as both stood; without a release nothing is known."""
    account, system, found = world
    hour = [(timedelta(hours=1), 2)]
    assert capacity.second_environment(system, SMALL, hour) == pytest.approx(cost.tasks(system, 2, 1))
    assert capacity.second_environment(system, SMALL, []) is None
    assert "less than a day" in str(story.cost(*world))
    assert len(found.releases) == 2
    none = story.cost(account, system, replace(found, releases=()))
    assert cell(none, "the second environment of one").startswith("not known")
    assert cell(none, "the second environments of a month").startswith("not known")


def test_the_next_release_and_past_ones_are_told_apart(world: World) -> None:
    """They stood for as long as they did; the next one stands as long as the parameters let it."""
    account, system, _ = world
    past = story.cost(*world)
    coming = forecasting.second_environment(account, system, forecasting.read_outlook(account, system))
    assert cell(past, "both environments stood") == "10 min, their termination waits included"
    assert cell(coming, "both stand") == "40 min, 30 of them blue's termination wait"
    assert coming.title == "The second environment of the next release"
    assert cell(coming, "cost").startswith("0.023 USD, ")


def test_the_chart_says_how_near_the_load_came(world: World) -> None:
    """And whether its claim holds, by its own numbers; the second environment is a line of its own."""
    chart = story.chart(*world)
    asked, could = dict(chart.data["requests"]), dict(chart.data["capacity"])
    worst = max(asked[at] / could[at] for at in asked if at in could)
    assert f"{100 * worst:.0f} %" in chart.sentence
    assert chart.sentence.endswith("The claim holds.")
    beside = dict(chart.data["second environment"])
    assert world[2].load is not None
    two = 2 * world[2].load.rps_per_task
    assert could[min(could)] == pytest.approx(two)
    assert {round(value) for value in beside.values()} == {0, round(two)}
    first = min(at for at in beside if beside[at])  # green stands, its shift has not begun
    assert could[first] == pytest.approx(two)


def test_the_chart_without_a_known_capacity_shows_the_load(world: World) -> None:
    """And does not say that nothing was measured."""
    account, system, found = world
    chart = story.chart(account, system, replace(found, load=None))
    assert chart.data["requests"]
    assert chart.sentence == "What the tasks could carry is not known, so nothing is said of the claim."
    empty = story.chart(account, system, replace(found, usage=Usage((), SMALL)))
    assert empty.sentence == "No data: nothing was measured."


def test_what_scaling_did_is_counted_before_it_is_cut(world: World) -> None:
    """Five of twenty are shown, and the line above says so, with the stretch."""
    account, system, found = world
    many = tuple(Activity(str(n), T - timedelta(minutes=n), f"Setting desired count to {n}", "") for n in range(20))
    shown = story.scaled(account, system, replace(found, activities=many))
    assert shown.title.startswith("Scaling: 20 activities, the newest 5 are shown, 2026-03-02 09:05 to ")
    assert len(shown.rows) == 1 + 5
    held = Target(1, 4, {"DynamicScalingOutSuspended": True})
    few = story.scaled(account, system, replace(found, target=held, activities=many[:1]))
    assert few.title.startswith("Scaling: 1 activity, 2026")
    assert few.rows[0][1] == "may have 1 to 4 tasks; suspended: scaling out"


def test_more_hours_than_cloudwatch_keeps_are_refused(world: World) -> None:
    """And none."""
    account, system, _ = world
    for hours in (0, 24 * 16):
        with pytest.raises(BadInput, match="1 to 336"):
            story.read(account, system, hours)


def test_all_activities_are_read_whatever_a_page_holds() -> None:
    """They are more than the fifty of a page."""
    account, system, _ = stories.begun("released")
    account.client("iam").create_service_linked_role(AWSServiceName="ecs.application-autoscaling.amazonaws.com")
    account.clock.sleep(60)  # until it can be assumed
    client = account.client("application-autoscaling")
    where = {"ServiceNamespace": "ecs", "ResourceId": scaling.resource(system), "ScalableDimension": scaling.DIMENSION}
    client.register_scalable_target(**where, MinCapacity=1, MaxCapacity=9)
    began = account.clock.now()
    for n in range(60):
        at = (account.clock.now() + timedelta(minutes=2)).strftime("at(%Y-%m-%dT%H:%M:%S)")
        bounds = {"MinCapacity": 2 + n % 2, "MaxCapacity": 2 + n % 2}
        client.put_scheduled_action(**where, ScheduledActionName="beat", Schedule=at, ScalableTargetAction=bounds)
        account.clock.sleep(300)
    found = scaling.read_activities(account, system, since=began)
    assert len(found) == 59  # the first asks for what is wanted already
    assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
    stories.close()


def test_size_and_price_are_those_of_the_revision_that_is_live() -> None:
    """A release to twice the CPU: today's size and what the parameters say beside it, and no old percentages."""
    account, system, journal = stories.begun("released")
    written = releasing._taskdef

    def larger(*told: Any) -> bytes:
        return written(*told).replace(b'"256"', b'"512"').replace(b'"memory": "512"', b'"memory": "1024"')

    before = story.read(account, system, 24)
    with patch.object(releasing, "_taskdef", larger):
        chapters.release_of(account, system, journal, "2.1.0", {})
    account.clock.sleep(20 * 60)
    look = story.read(account, system, 24)
    assert look.usage.size == TaskSize(512, 1024)
    assert look.revision != before.revision
    assert look.usage.sized == look.releases[-1].completed
    assert look.load is not None
    assert before.load is not None
    assert look.load.percent_per_rps == pytest.approx(before.load.percent_per_rps / 2, rel=0.01)
    assert "tasks had another size before" in story.usage(account, system, look).title
    bill = story.cost(account, system, look)
    assert cell(bill, "2 tasks of 512 CPU units, 1024 MiB") == "43.34 USD"
    assert cell(bill, "the same with 256 CPU units, 512 MiB, as the parameters say") == "25.32 USD"
    assert "of 512 CPU units, 1024 MiB" in str(
        forecasting.second_environment(account, system, forecasting.read_outlook(account, system))
    )
    stories.close()


def test_arm_has_prices_of_its_own(world: World) -> None:
    """Read from the task definition, and kept for every size that is offered."""
    account, system, found = world
    definition = {"cpu": "1 vCPU", "memory": "2 GB", "runtimePlatform": {"cpuArchitecture": "ARM64"}}
    size = cost.of_definition(definition)
    assert size == TaskSize(1024, 2048, arm=True)
    assert cost.of_definition({"cpu": "256"}) is None
    prices = system.params.prices
    each = prices.fargate_arm_vcpu_hour + 2 * prices.fargate_arm_gb_hour + prices.public_ipv4_hour
    assert cost.tasks(system, 3, 10, size=size) == pytest.approx(30 * each)
    arm = replace(found, usage=replace(found.usage, size=replace(found.usage.size, arm=True)))
    assert " for ARM, a public IPv4 address for each task included" in story.cost(account, system, arm).title
    network = system.params.network.model_copy(update={"egress": "nat"})
    behind_nat = replace(system, params=system.params.model_copy(update={"network": network}))
    assert cost.tasks(behind_nat, 3, 10, size=size) == pytest.approx(30 * (each - prices.public_ipv4_hour))
    assert story.cost(account, behind_nat, arm).title.endswith(" for ARM")
    assert all(row[0].endswith("ARM") for row in story.sizes(account, system, arm).rows)


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0.00 USD"), (0.0004, "less than 0.001 USD"), (0.0231, "0.023 USD"), (25.3164, "25.32 USD")],
)
def test_an_amount_keeps_the_digits_that_tell_something(amount: float, words: str) -> None:
    """Everywhere the same."""
    assert cost.usd(amount) == words
