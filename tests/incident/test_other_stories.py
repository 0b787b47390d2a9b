"""Incidents that no release caused, and one that nobody noticed: the look back finds their true stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stories

from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.story import incident


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    stories.close()


def test_a_dependency_that_fails_is_not_blamed_on_a_release() -> None:
    """No deployment was near it; it was bad at once and for everybody."""
    account, system, found = stories.dependency()
    harm = found.incident.harm
    assert harm is not None
    assert (harm.start.strftime("%H:%M"), harm.end.strftime("%H:%M")) == ("14:02", "14:08")
    assert [cause.what for cause in found.incident.causes if cause.weight == STRONG] == [
        "something outside the versions: a dependency"
    ]
    assert found.incident.intervals is not None
    assert found.incident.intervals.decided.at is None
    todo = str(incident.todo(account, system, found))
    assert "Hold back what may fail until the error budget allows it again" in todo
    assert "smaller first steps" not in todo


def test_a_dependency_that_fails_in_both_colours_is_not_blamed_on_green() -> None:
    """Although the release was rolled back by its alarm at that very time."""
    account, system, found = stories.dependency_in_a_release()
    assert any(one.status == "Stopped" for one in found.incident.seen.deployments)
    strong = [cause for cause in found.incident.causes if cause.weight == STRONG]
    assert [cause.what for cause in strong] == ["something outside the versions: a dependency"]
    assert "alike" in strong[0].evidence[0]
    commit = found.incident.seen.commit
    assert commit is not None
    assert found.bad_commit is None
    assert f"Release commit {commit[:7]} again" in str(incident.todo(account, system, found))
    open_again = incident.check_hands(account, system, found, "unfreeze")
    assert "no commit is known to be bad" in str(open_again)


def test_a_slow_leak_is_found_although_nothing_noticed_it() -> None:
    """The version that grows slower with its age is named, and that nothing saw it."""
    account, system, found = stories.leak()
    assert found.incident.harm is not None
    assert found.incident.harm.by == "latency"
    assert found.incident.causes[0].what == "orders:4 becomes slower with its age: a leak"
    assert found.incident.intervals is not None
    assert found.incident.intervals.ongoing
    assert found.incident.intervals.detected.at is None
    requests, hurt = found.incident.seen.requests, found.incident.damage
    assert requests is not None
    assert hurt is not None
    # What has not ended has no minutes after it; of the last five a node's file is late, and it is said.
    assert {one.phase for one in requests.served} == {"before", "during"}
    assert "a node of the load balancer has no file though it had one before" in str(found.incident.timeline.gaps)
    assert hurt.budget.slow == requests.slow > hurt.budget.slow_allowed
    assert "of the budget of slow answers, this incident took" in str(incident.budget(account, system, found))
    assert "smaller first steps" not in str(incident.todo(account, system, found))
