"""Incidents that no release caused, and one that nobody noticed: the look back finds their true stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stories

from runbook_lib.incident.causes.facts import STRONG


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    stories.close()


def test_a_dependency_that_fails_is_not_blamed_on_a_release() -> None:
    """No deployment was near it; it was bad at once and for everybody."""
    _, _, found = stories.dependency()
    harm = found.incident.harm
    assert harm is not None
    assert (harm.start.strftime("%H:%M"), harm.end.strftime("%H:%M")) == ("14:02", "14:08")
    assert [cause.what for cause in found.incident.causes if cause.weight == STRONG] == [
        "something outside the versions: a dependency"
    ]
    assert found.incident.intervals is not None
    assert found.incident.intervals.decided.at is None


def test_a_dependency_that_fails_in_both_colours_is_not_blamed_on_green() -> None:
    """Although the release was rolled back by its alarm at that very time."""
    _, _, found = stories.dependency_in_a_release()
    assert any(one.status == "Stopped" for one in found.incident.seen.deployments)
    strong = [cause for cause in found.incident.causes if cause.weight == STRONG]
    assert [cause.what for cause in strong] == ["something outside the versions: a dependency"]
    assert "alike" in strong[0].evidence[0]


def test_a_slow_leak_is_found_although_nothing_noticed_it() -> None:
    """The version that grows slower with its age is named, and that nothing saw it."""
    _, _, found = stories.leak()
    assert found.incident.harm is not None
    assert found.incident.harm.by == "latency"
    assert found.incident.causes[0].what == "orders:4 becomes slower with its age: a leak"
    assert found.incident.intervals is not None
    assert found.incident.intervals.ongoing
    assert found.incident.intervals.detected.at is None
