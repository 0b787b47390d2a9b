"""Incidents that no release caused, and one that nobody noticed: the look back finds their true stories."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import stories

from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.story import incident, judging


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    stories.close()


def test_a_dependency_that_fails_is_not_blamed_on_a_release() -> None:
    """No deployment was near it; it was bad at once and for everybody."""
    account, system, found = stories.told("incident-dependency")
    harm = found.incident.harm
    assert harm is not None
    assert (harm.start.strftime("%H:%M"), harm.end.strftime("%H:%M")) == ("14:02", "14:08")
    assert [cause.what for cause in found.incident.causes if cause.weight == STRONG] == [
        "something outside the versions: a dependency"
    ]
    evidence = found.incident.causes[0].evidence
    assert any(told.startswith("the log says:") and "upstream timed out" in told for told in evidence)
    assert found.incident.intervals is not None
    assert found.incident.intervals.decided.at is None
    todo = str(incident.todo(account, system, found))
    assert "Hold back what may fail until the error budget allows it again" in todo
    assert "smaller first steps" not in todo


def test_a_dependency_that_fails_in_both_colours_is_not_blamed_on_green() -> None:
    """Although the release was rolled back by its alarm at that very time."""
    account, system, found = stories.told("incident-both-colours")
    assert any(one.status == "Stopped" for one in found.incident.seen.deployments)
    strong = [cause for cause in found.incident.causes if cause.weight == STRONG]
    assert [cause.what for cause in strong] == ["something outside the versions: a dependency"]
    assert "alike, in the minutes in which both had traffic" in strong[0].evidence[0]
    assert found.judge is not None
    said = judging.because(found.judge().judgement)
    assert re.findall(r"(errors|latency): [^(]+ \((.+?)\)", said) == [
        ("errors", "metrics of the load balancer"),
        ("latency", "metrics of the load balancer"),
        ("errors", "access logs"),
        ("latency", "access logs"),
    ]
    assert "of green took longer than " in said
    lines = [entry.what for entry in found.incident.timeline.of("log") if "upstream timed out" in entry.what]
    assert {version for version in ("2.0.0", "2.1.0") for line in lines if f'"{version}"' in line} == {"2.0.0", "2.1.0"}
    chart = incident.errors(account, system, found)
    during = [part.role for part in found.incident.damage.parts if part.phase == "during"]
    assert f"on {during[0]}, " in chart.sentence
    assert "on live" not in chart.sentence  # a minute has one role, in the chart and in the table
    shares = {share.what: share for share in found.incident.shares}
    held = shares["of it: green had a part of the traffic"]
    assert "ECSLinear10PercentEvery1Minutes" in held.setting
    assert held.took == found.incident.intervals.to_recover - shares["from the decision to the first good minute"].took
    seen = found.incident.seen
    commit = seen.commits.get(seen.released or "")
    assert commit is not None
    assert found.bad_commit is None
    assert f"Release commit {commit[:7]} again" in str(incident.todo(account, system, found))
    open_again = incident.check_hands(account, system, found, "unfreeze")
    assert "no commit is known to be bad" in str(open_again)


def test_a_slow_leak_is_found_although_nothing_noticed_it() -> None:
    """The version that grows slower with its age is named, and that nothing saw it."""
    account, system, found = stories.told("incident-leak")
    assert found.incident.harm is not None
    assert found.incident.harm.by == "latency"
    # p99 passes the objective at 10:10; half as much again as usual it was long before.
    assert f"{found.incident.harm.start:%H:%M}" == "10:10"
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
    during = sum(one.requests for one in requests.served if one.phase == "during")
    assert f"{requests.slow} of {during} in the access log" in str(incident.summary(account, system, found))
    todo = str(incident.todo(account, system, found))
    assert "smaller first steps" not in todo
    # The version is in service: the way back is its predecessor, and its commit must not come again.
    assert "Go back to orders:3 now" in todo
    good = incident.last_good(account, system, found)
    assert (good.title, good.rows[0][2]) == ("The last good releases (orders:4 is to blame)", "orders:3")
    commit = found.incident.seen.commits["orders:4"]
    assert found.bad_commit == commit
    (freeze,) = incident.plan_hands(account, system, found, "freeze").steps
    assert commit[:7] in freeze.arguments["reason"]
