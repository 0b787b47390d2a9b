"""Worlds with an incident by their name: chosen, remembered, and refused where they would hurt or make no sense."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest
import stories

from runbook_lib import sandbox, scaling
from runbook_lib.account import Account
from runbook_lib.errors import BadInput
from runbook_lib.journal import Journal
from runbook_lib.story import incident, incidents, worlds
from runbook_lib.system import System


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Account, System]]:
    """A world in which a dependency failed."""
    account, system, _ = stories.begun("incident-dependency")
    yield account, system
    stories.close()


def bring(account: Account, system: System, world: str) -> None:
    """Once more in the same world."""
    worlds.bring(account, system, world, journal=Journal(account.clock))


def test_an_incident_happens_once(told: tuple[Account, System]) -> None:
    """A cell that is run again finds it done."""
    account, system = told
    now = account.clock.now()
    bring(account, system, "incident-dependency")
    assert account.clock.now() == now


def test_a_world_has_one_incident(told: tuple[Account, System]) -> None:
    """Two of them at the same hours would be one that nobody can tell apart."""
    with pytest.raises(BadInput, match="in which incident-dependency happened"):
        bring(*told, "incident-leak")


def test_an_incident_is_remembered(told: tuple[Account, System], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next kernel goes on from its end, with what will disturb the traffic and that it was told."""
    account, _ = told
    now, calls = account.clock.now(), len(sandbox._embedded.world.calls)  # type: ignore[union-attr]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was told again")

    monkeypatch.setattr(incidents, "tell", never)
    again, _, journal = stories.begun("incident-dependency")
    assert again.clock.now() == now
    assert len(sandbox._embedded.world.calls) >= calls  # type: ignore[union-attr]
    assert any(entry.kind == "step" for entry in journal.entries)


def test_scaling_acts_when_everybody_comes_back(told: tuple[Account, System]) -> None:
    """Out to four tasks while they are busy, and in again; 60 has it in its timeline."""
    account, system, found = stories.told("incident-dependency")
    del told
    target = scaling.read_target(account, system)
    assert target is not None
    assert (target.minimum, target.maximum) == (incidents.FEWEST, incidents.MOST)
    seen = [(f"{entry.at:%H:%M}", entry.what) for entry in found.incident.timeline.of("scaling")]
    assert seen == [
        ("14:15", "orders-bg: Setting desired count to 4."),
        ("14:33", "orders-bg: Setting desired count to 2."),
    ]
    tasks = [entry.what for entry in found.incident.timeline.of("health")]
    assert tasks[-2:] == ["orders-a: healthy targets 2 -> 4", "orders-a: healthy targets 4 -> 2"]
    assert "Setting desired count" in str(incident.timeline(account, system, found))


def test_a_name_that_nobody_knows_is_refused_with_the_nearest() -> None:
    """Before anything is done."""
    account, system, _ = stories.begun("empty")
    with pytest.raises(BadInput, match="did you mean incident-leak"):
        bring(account, system, "incident-leek")
    assert account.clock.now().strftime("%H:%M") == "09:00"
    stories.close()


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"target": "aws", "stage": None}, "incident-leak in AWS"),
        ({"stage": None}, "incident-leak in a world that is not this run's own"),
        ({"adopted": True}, "incident-leak in a world that is not this run's own"),
    ],
)
def test_nobody_else_is_hurt(changes: dict[str, object], seen: str) -> None:
    """On AWS, in a served sandbox and with a service that was there before nothing is done."""
    account, system, _ = stories.begun("empty")
    with pytest.raises(BadInput, match="users are hurt in it") as refused:
        bring(replace(account, **changes), system, "incident-leak")  # type: ignore[arg-type]
    assert seen in str(refused.value)
    assert account.clock.now().strftime("%H:%M") == "09:00"
    stories.close()


def test_an_incident_whose_time_is_over_is_refused() -> None:
    """Its window would show nothing."""
    account, system, _ = stories.begun("incident")
    with pytest.raises(BadInput, match="a world before 10:10"):
        bring(account, system, "incident-leak")
    stories.close()


def test_one_that_was_interrupted_is_not_looked_at_as_if_it_were_whole() -> None:
    """Half a story is none: a new kernel begins anew."""
    account, system, _ = stories.begun("released")
    with (
        patch.object(incidents.chapters, "release_of", side_effect=KeyboardInterrupt),
        patch.dict(os.environ, {"RUNBOOK_CACHE": ""}),
        pytest.raises(KeyboardInterrupt),
    ):
        bring(account, system, "incident-leak")
    with pytest.raises(BadInput, match="it has begun, and was interrupted"):
        bring(account, system, "incident-leak")
    stories.close()
