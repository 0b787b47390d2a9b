"""The heap of events, the ids and the two clocks."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from runbook_lib.sandbox import participants
from runbook_lib.sandbox.clocks import Outside, ScaledClock, VirtualClock
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.settings import START, Settings
from runbook_lib.sandbox.world import World

NOTE = "participants.note"


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Any]]:
    """What the handler participants.note was called with, and when."""
    seen: list[tuple[float, Any]] = []
    monkeypatch.setitem(participants.HANDLERS, NOTE, lambda world, word: seen.append((world.now - START, word)))
    return seen


def test_events_happen_in_order_of_time_and_then_of_asking(notes: list[Any]) -> None:
    """Equal times are served in the order in which they were asked for."""
    world = World(Settings())
    for delay, word in [(5, "late"), (1, "first"), (1, "second")]:
        world.after(delay, NOTE, word)
    world.run_until(START + 10)
    assert notes == [(1, "first"), (1, "second"), (5, "late")]
    assert world.now == START + 10


def test_an_event_due_later_does_not_happen_yet(notes: list[Any]) -> None:
    """Time stops exactly where it was told to."""
    world = World(Settings())
    world.after(10, NOTE, "x")
    world.run_until(START + 9.999)
    assert notes == []
    assert world.next_event_time() == START + 10


def test_time_never_goes_back() -> None:
    """Waiting for a moment that has passed changes nothing."""
    world = World(Settings())
    world.run_until(START + 10)
    world.run_until(START + 5)
    assert world.now == START + 10


def test_a_world_is_idle_when_only_background_events_are_left(notes: list[Any]) -> None:
    """What repeats for ever does not count as something to wait for."""
    world = World(Settings())
    world.after(60, NOTE, "minute", background=True)
    assert world.idle()
    world.after(5, NOTE, "x")
    assert not world.idle()
    world.run_until(START + 6)
    assert world.idle()


def test_a_handler_may_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that waits would have to stand still while the world goes on."""
    monkeypatch.setitem(participants.HANDLERS, NOTE, lambda world, word: world.run_until(world.now + 1))
    world = World(Settings())
    world.after(1, NOTE, "x")
    with pytest.raises(SandboxError, match="a handler may not wait"):
        world.run_until(START + 2)


@pytest.mark.parametrize("name", ["participants.unheard_of", "nobody.at_all"])
def test_an_unknown_handler_is_named(name: str) -> None:
    """A name that is in no table raises, with what there is."""
    world = World(Settings())
    world.after(1, name)
    with pytest.raises(SandboxError, match=name.split(".")[1] if name.startswith("part") else "nobody"):
        world.run_until(START + 2)


def test_a_pickled_world_goes_on_as_it_would_have(notes: list[Any]) -> None:
    """Events, ids and time are all data."""
    world = World(Settings())
    world.after(5, NOTE, "x")
    world.ids.uuid("thing")
    again: World = pickle.loads(pickle.dumps(world))
    assert again.ids.uuid("thing") == world.ids.uuid("thing")
    again.run_until(START + 5)
    assert notes == [(5, "x")]
    assert not world.idle()


def test_ids_of_one_kind_do_not_move_those_of_another() -> None:
    """One resource more of a kind leaves all other ids as they were."""
    plain, busy = World(Settings()).ids, World(Settings()).ids
    busy.uuid("vpc")
    assert busy.uuid("build") == plain.uuid("build")
    assert busy.uuid("build") != plain.digits("build", 36)


def test_ids_have_the_forms_that_aws_gives_them() -> None:
    """A deployment's id is d- and nine letters; numbers count from one."""
    ids = World(Settings()).ids
    assert [ids.number("n"), ids.number("n"), ids.number("m")] == [1, 2, 1]
    assert len({ids.deployment() for _ in range(500)}) == 500
    assert ids.deployment()[:2] == "d-"
    assert len(ids.deployment()) == 11
    assert len(ids.hex("task", 32)) == 32
    assert ids.digits("account", 12)[0] != "0"


def test_seeds_tell_worlds_apart() -> None:
    """Another seed gives other ids."""
    assert World(Settings(seed=1)).ids.uuid("x") != World(Settings(seed=2)).ids.uuid("x")


def test_sleeping_moves_the_virtual_clock_and_looking_does_not() -> None:
    """A wait takes exactly as long as asked."""
    clock = VirtualClock(World(Settings()))
    before = clock.now()
    assert clock.now() == before
    clock.sleep(90.5)
    assert (clock.now() - before).total_seconds() == 90.5
    assert before.isoformat() == "2026-03-02T09:00:00+00:00"


def test_a_negative_wait_is_refused() -> None:
    """No clock goes back."""
    with pytest.raises(ValueError, match="a wait of -1 seconds"):
        VirtualClock(World(Settings())).sleep(-1)


class Wall:
    """A wall clock under the test's control."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def test_the_scaled_clock_waits_its_share_of_wall_time(notes: list[Any]) -> None:
    """At a factor of 60 a minute takes a second, and events happen when they are due."""
    world, wall = World(Settings()), Wall()
    clock = ScaledClock(world, scale=60, wall=lambda: wall.now, wait=wall.wait)
    world.after(30, NOTE, "x")
    clock.sleep(60)
    assert wall.waits == pytest.approx([0.5, 0.5])
    assert notes == [(30, "x")]
    assert world.now == pytest.approx(START + 60)


def test_looking_lets_the_scaled_world_catch_up(notes: list[Any]) -> None:
    """What happened on the wall meanwhile has happened in the world."""
    world, wall = World(Settings()), Wall()
    clock = ScaledClock(world, scale=60, wall=lambda: wall.now, wait=wall.wait)
    world.after(30, NOTE, "x")
    wall.now += 2
    assert clock.now().timestamp() == pytest.approx(START + 120)
    assert notes == [(30, "x")]


def test_what_takes_long_on_the_wall_takes_no_time_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that really runs for eleven seconds: at a factor of 60 others would have lost eleven minutes by it."""
    world, wall = World(Settings()), Wall()
    clock = ScaledClock(world, scale=60, wall=lambda: wall.now, wait=wall.wait)

    def build(world: World) -> None:
        wall.now += 11

    monkeypatch.setitem(participants.HANDLERS, NOTE, build)
    world.after(30, NOTE)
    clock.sleep(60)
    assert wall.now == pytest.approx(1000 + 11 + 1)
    assert world.now == pytest.approx(START + 60)
    assert clock.due() == pytest.approx(world.now)
    moments = (1000.25, 1000.5, 1006.0, 1011.5, 1012.0)
    assert [clock.at(moment) - START for moment in moments] == pytest.approx([15, 30, 30, 30, 60])


def test_what_is_quick_is_left_in_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that left out every millisecond of work would be slower than it says."""
    world, wall = World(Settings()), Wall()
    clock = ScaledClock(world, scale=60, wall=lambda: wall.now, wait=wall.wait)

    def work(world: World) -> None:
        wall.now += 0.05

    monkeypatch.setitem(participants.HANDLERS, NOTE, work)
    world.after(30, NOTE)
    clock.sleep(60)
    assert wall.now == pytest.approx(1001)


def test_what_is_outside_is_looked_at_while_the_world_waits() -> None:
    """Ten times a second of the wall, whatever is due; a world that was left alone meanwhile has stood still."""
    world, wall = World(Settings()), Wall()
    clock = ScaledClock(world, scale=60, wall=lambda: wall.now, wait=wall.wait)
    looks: list[float] = []
    clock.watch(Outside(look=lambda: looks.append(wall.now), every=0.1))
    clock.sleep(30)
    assert looks == pytest.approx([1000, 1000.1, 1000.2, 1000.3, 1000.4, 1000.5])
    wall.now += 600
    assert clock.now().timestamp() == pytest.approx(START + 30)
    assert clock.left_until(float("inf")) == pytest.approx(0.1)
    clock.watch(None)
    wall.now += 600
    assert clock.now().timestamp() == pytest.approx(START + 30 + 36_000)


def test_from_outside_nothing_happens_in_the_middle_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that lets something happen is refused, as one that waits is."""
    world = World(Settings())
    monkeypatch.setitem(participants.HANDLERS, NOTE, lambda world: world.happen(NOTE))
    with pytest.raises(SandboxError, match="what comes from outside waits until it has ended"):
        world.happen(NOTE)
    assert not world.busy
