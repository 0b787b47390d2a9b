"""When following looks at what: never more than its budget, and just after what can be predicted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.deployment import Deployment, LifecycleEvent
from runbook_lib.polling import CALLS, EVERY, FRESH, SETTLE, WINDOW, Budget, Phase, Rota, Source, phase_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def followed(phase: Phase, seconds: float, changes: tuple[datetime, ...] = ()) -> list[tuple[datetime, Source]]:
    """Everything that is read while a phase lasts, when each reading is one call."""
    rota, now, read = Rota(), START, []
    while now < at(seconds):
        while (source := rota.due(phase, now, changes)) is not None:
            rota.done(source, now)
            read.append((now, source))
        now += timedelta(seconds=rota.wait(phase, now, changes))
    return read


def deployment(status: str, target: str | None = None, **events: tuple[float, float | None]) -> Deployment:
    """A deployment with events that began and ended so many seconds after the start."""
    told = tuple(
        LifecycleEvent(
            name, "InProgress" if end is None else "Succeeded", at(begin), None if end is None else at(end), None
        )
        for name, (begin, end) in events.items()
    )
    return Deployment(
        id="d-1", status=status, creator="user", config="", revision_sha=None, created=START, completed=None,
        error=None, rolled_back_by=None, rolls_back=None, description="", events=told, target_status=target,
    )  # fmt: skip


@pytest.mark.parametrize("phase", [phase for phase in EVERY if phase != "over"])
def test_no_minute_costs_more_than_the_budget(phase: Phase) -> None:
    """Whatever a phase reads, also where its traffic moves every minute."""
    changes = tuple(at(60 * number) for number in range(20))
    read = [when for when, _ in followed(phase, 1200, changes)]
    assert read
    assert max(sum(since <= when < since + WINDOW for when in read) for since in read) <= CALLS


def test_an_hour_of_waiting_costs_less_than_a_call_a_minute() -> None:
    """Ten minutes of a fresh version and fifty of an old one, with eight renewals of the lease beside them."""
    calls = len(followed("fresh", FRESH.total_seconds())) + len(followed("bake", 3000))
    assert calls + 8 <= 60


def test_the_traffic_is_looked_at_just_after_it_moved() -> None:
    """A change that was predicted is seen within seconds, although the interval is two minutes."""
    moved = at(200)
    seen = [when for when, source in followed("hold", 300, (moved,)) if source == "target"]
    assert any(moved + SETTLE <= when <= moved + SETTLE + timedelta(seconds=2) for when in seen)


def test_what_is_asked_for_is_read_next_and_once() -> None:
    """Also what the phase does not read by itself."""
    rota = Rota()
    rota.ask("activities")
    read = []
    while (source := rota.due("over", START)) is not None:
        rota.done(source, START)
        read.append(source)
    assert read == ["activities"]


def test_what_is_urgent_comes_first_when_calls_are_short() -> None:
    """Whether the deployment is over is worth more than what was measured."""
    rota = Rota(Budget(calls=1))
    assert rota.due("hold", START) == "deployment"
    rota.done("deployment", START)
    assert rota.due("hold", START) is None
    assert rota.wait("hold", START) == WINDOW.total_seconds()


@given(st.lists(st.floats(0, 200), max_size=30))
def test_a_budget_never_allows_too_much(moments: list[float]) -> None:
    """Any wish at any time: what it grants fits into every minute."""
    budget, granted = Budget(), []
    for moment in sorted(moments):
        if budget.left(at(moment)):
            budget.spend(at(moment))
            granted.append(moment)
        else:
            assert 0 < budget.free_in(at(moment)) <= WINDOW.total_seconds()
    assert all(sum(since <= one < since + 60 for one in granted) <= CALLS for since in granted)


@pytest.mark.parametrize(
    ("found", "seconds", "phase"),
    [
        (deployment("Created"), 0, "starting"),
        (deployment("InProgress", "InProgress", Install=(5, None)), 10, "install"),
        (deployment("Ready", "Ready", Install=(5, 60)), 70, "ready"),
        (deployment("InProgress", "InProgress", AllowTraffic=(70, None)), 75, "shift"),
        (deployment("InProgress", "InProgress", AllowTraffic=(70, None)), 300, "hold"),
        (deployment("InProgress", "InProgress", AllowTraffic=(70, None)), 930, "shift"),
        (deployment("InProgress", "InProgress", AllowTraffic=(70, None)), 2000, "shift"),
        (deployment("InProgress", "Succeeded", AllowTraffic=(70, 980)), 1000, "fresh"),
        (deployment("InProgress", "Succeeded", AllowTraffic=(70, 980)), 2000, "bake"),
        (deployment("Stopped", "Skipped", AllowTraffic=(70, 980)), 2000, "over"),
    ],
)
def test_the_phase_follows_from_status_events_and_time(found: Deployment, seconds: float, phase: Phase) -> None:
    """A canary of 15 minutes whose traffic begins to move at 70 s."""
    assert phase_of(found, at(seconds), (at(70), at(970))) == phase


def test_every_phase_reads_what_ends_it() -> None:
    """The status of the deployment, or its target, in each phase in which something can happen."""
    known = Counter(source for phase in EVERY if phase != "over" for source in EVERY[phase])
    assert known["deployment"] == len(EVERY) - 1
