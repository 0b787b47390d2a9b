"""Scaling stands still while a release shifts, and goes on behind it, also when the run dies inside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from story_stage import finish, opened, scaled, start

from runbook_lib import bracket, lease, scaling
from runbook_lib.runbook import Runbook
from runbook_lib.sections import Owned
from runbook_lib.story import release


def still(run: Runbook) -> dict[str, bool]:
    target = scaling.read_target(run.account, run.system)
    assert target is not None
    return dict(target.suspended)


def dead(run: Runbook) -> None:
    """The run has ended without giving anything back: its lease is too old for anybody to wait for."""
    run.account.clock.sleep((lease.LENGTH + lease.GRACE).total_seconds() + 1)


ACTIVE = dict.fromkeys(scaling.SUSPENDED, False)


def test_a_service_that_nothing_scales_needs_no_bracket() -> None:
    """The plan says so, and no note is written."""
    run = opened()
    steps = bracket.plan_open(run.account, run.system)
    assert [(step.needed, step.reason) for step in steps] == [(False, "nothing scales orders-bg")]
    assert bracket.plan_close(run.account, run.system) is None


def test_scaling_is_suspended_for_the_release_and_goes_on_after_it() -> None:
    """Noted before it is suspended, resumed before the note goes."""
    run = scaled(opened(traffic="all_at_once"))
    before = run.read(release.read_live)
    started = start(run)
    assert all(still(run).values())
    made = finish(run, started, before)
    assert made.exit_code == 0
    assert still(run) == ACTIVE
    own = [step for step in made.steps() if step.startswith("bracket.")]
    assert own == [bracket.NOTE, bracket.SUSPEND, bracket.RESUME, bracket.FORGET]


def test_what_stood_still_before_stands_still_afterwards() -> None:
    """Somebody has suspended scaling in; that is not ours to resume."""
    run = scaled(opened(traffic="all_at_once"), DynamicScalingInSuspended=True)
    before = run.read(release.read_live)
    finish(run, start(run), before)
    assert still(run) == {**ACTIVE, "DynamicScalingInSuspended": True}


def test_the_next_run_closes_the_bracket_of_one_that_died(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever notebook it is; the count that was lost comes back too."""
    run = scaled(opened(traffic="all_at_once"))
    run.follow(start(run))
    client = run.account.client("ecs")
    client.update_service(cluster=run.system.cluster, service=run.system.service, desiredCount=1)
    dead(run)
    following = replace(run, name="50_watch")
    following.repair()
    assert "is suspended since" in capsys.readouterr().out
    assert still(run) == ACTIVE
    shown = client.describe_services(cluster=run.system.cluster, services=[run.system.service])["services"][0]
    assert shown["desiredCount"] == 2
    assert bracket.read_note(run.account, run.system) is None


def test_a_count_that_was_raised_meanwhile_is_left_to_scaling() -> None:
    """Taking tasks away from a service under load would do harm."""
    run = scaled(opened(traffic="all_at_once"))
    run.follow(start(run))
    client = run.account.client("ecs")
    client.update_service(cluster=run.system.cluster, service=run.system.service, desiredCount=4)
    closing = bracket.plan_close(run.account, run.system)
    assert closing is not None
    assert [(step.id, step.reason) for step in closing.steps if not step.needed] == [
        (bracket.COUNT, "it is 4, more than 2: left to scaling")
    ]


def test_a_bracket_is_left_alone_while_the_traffic_moves(capsys: pytest.CaptureFixture[str]) -> None:
    """Scaling in the middle of a shift is what it is there against, whoever has died."""
    run = scaled(opened(traffic="canary", step_minutes=60))
    started = start(run)
    dead(run)
    run.repair()
    assert f"{started.id} still shifts the traffic" in capsys.readouterr().out
    assert all(still(run).values())


def test_a_bracket_of_somebody_who_lives_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """His lease says that he does."""
    run = scaled(opened(traffic="all_at_once"))
    run.follow(start(run))
    other = replace(lease.here(run.account), place="another machine")
    monkeypatch.setattr(lease, "here", lambda account: other)
    assert (bracket.open_because(run.account, run.system) or "").endswith("releases")


def test_an_older_note_knows_what_was_before() -> None:
    """A second run inside the bracket does not take the suspended state for the usual one."""
    run = scaled(opened(traffic="all_at_once"))
    start(run)
    steps = {step.id: step for step in bracket.plan_open(run.account, run.system)}
    assert not steps[bracket.NOTE].needed
    noted = bracket.read_note(run.account, run.system)
    assert noted is not None
    assert dict(noted.suspended) == ACTIVE


def test_a_count_that_a_stack_owns_is_left_to_it() -> None:
    """Scaling goes on all the same: nothing may wait for a consent there."""
    run = scaled(opened(traffic="all_at_once"))
    run.follow(start(run))
    run.account.client("ecs").update_service(cluster=run.system.cluster, service=run.system.service, desiredCount=1)
    arn = run.system.arn("ecs", f"service/{run.system.cluster}/{run.system.service}")
    owned = replace(run.account, claims=(Owned(resource=arn, by="the CDK"),))
    closing = bracket.plan_close(owned, run.system)
    assert closing is not None
    assert [step.id for step in closing.needed] == [bracket.RESUME, bracket.FORGET]
    assert "the service belongs to the CDK" in closing.steps[1].reason
