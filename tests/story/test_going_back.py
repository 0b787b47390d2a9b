"""Going back: which ways are open, and that each ends with the former version behind every listener."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from story_stage import opened, resumed, start, world

from runbook_lib import balancer, deployment, pipeline, service
from runbook_lib.errors import CheckFailed, GateClosed
from runbook_lib.runbook import Runbook
from runbook_lib.story import follow, release, rollback


@pytest.fixture
def run() -> Runbook:
    return opened("40_roll_back", traffic="canary", step_minutes=60, termination_wait_minutes=60, judge="off")


def releasing(run: Runbook, *, until: str = "AllowTraffic", **settings: Any) -> str:
    """A release that has come to an event, by somebody who has gone home: no lease is held."""
    own = replace(
        run.system, params=run.params.model_copy(update={"release": run.params.release.model_copy(update=settings)})
    )
    releaser = resumed(replace(run, system=own), run.account)
    releaser.keeper.system = own
    started = start(releaser).id
    releaser.keeper.give_back()
    client = run.account.client("codedeploy")
    while deployment.read_deployment(run.account, run.system, started).began(until) is None:
        run.account.clock.sleep(10)
    assert client is not None
    return started


def shifted(run: Runbook) -> str:
    started = releasing(run, until="AfterAllowTraffic", traffic="all_at_once")
    run.account.clock.sleep(30)
    return started


def go_back(run: Runbook, confirm: str = "") -> Any:
    """The cells of 40 in their order."""
    past = run.read(rollback.read_past)
    plan = run.plan(rollback.plan_back, past, confirm)
    run.gate("Go back", run.check(rollback.check_ready, past))
    applied = run.apply(plan)
    run.follow(run.wait(rollback.wait_for_deployment, applied, past))
    verdict = run.check(rollback.check_back, past, applied)
    run.end()
    return verdict


def open_ways(run: Runbook) -> dict[str, str]:
    return {way.name: way.reason for way in rollback.ways(run.system, run.read(rollback.read_past)) if way.open}


def closed(run: Runbook, name: str) -> str:
    return next(way.reason for way in rollback.ways(run.system, run.read(rollback.read_past)) if way.name == name)


def stop_without_rollback(run: Runbook, id: str) -> None:
    run.account.client("codedeploy").stop_deployment(deploymentId=id, autoRollbackEnabled=False)
    run.account.clock.sleep(120)


def test_a_release_under_way_is_stopped_and_its_commit_named(run: Runbook) -> None:
    """The quickest way; the next push does not deploy it again, and the reason names deployment and commit."""
    before = run.read(release.read_live)
    started = releasing(run)
    assert list(open_ways(run)) == [rollback.STOP]
    assert go_back(run).bad == ()
    assert run.read(release.read_live).revision == before.revision
    delivery = pipeline.read_pipeline(run.account, run.system)
    reason = delivery.stage(pipeline.DEPLOY).closed_because  # type: ignore[union-attr]
    assert f"{started} - bad commit {follow.commit_of(run.account, run.system, started)}" in str(reason)


def test_going_back_from_what_goes_back_takes_it_up(run: Runbook) -> None:
    """An operator stopped it a moment ago: the rollback under way is followed, nothing is stopped."""
    started = releasing(run)
    run.account.client("codedeploy").stop_deployment(deploymentId=started, autoRollbackEnabled=True)
    run.account.clock.sleep(12)
    assert go_back(run).bad == ()
    assert "deployment.stop" not in [entry.fields["id"] for entry in run.journal.of("step") if entry.fields["done"]]


def test_a_stop_that_comes_too_late_says_what_to_do(run: Runbook) -> None:
    """It was planned while the deployment ran, and done when it had ended."""
    started = releasing(run, traffic="all_at_once", termination_wait_minutes=0)
    past = run.read(rollback.read_past)
    plan = run.plan(rollback.plan_back, past)
    run.account.clock.sleep(600)
    applied = run.apply(plan)
    with pytest.raises(CheckFailed, match=r"it had ended before the stop reached it.*run this notebook again"):
        run.wait(rollback.wait_for_deployment, applied, past)
    assert deployment.read_deployment(run.account, run.system, started).status == "Succeeded"
    assert next(iter(open_ways(run))) == rollback.REDEPLOY


def test_a_flip_leads_everything_to_the_live_tasks(run: Runbook) -> None:
    """Somebody stopped the shift without rollback: a tenth of the users stay on green until a person decides."""
    stop_without_rollback(run, releasing(run))
    assert list(open_ways(run)) == [rollback.FLIP]
    assert "D1" in closed(run, rollback.REDEPLOY)
    assert go_back(run, confirm=run.system.service).bad == ()
    lb = balancer.read_balancer(run.account, run.system)
    found = service.read_service(run.account, run.system, run.system.service)
    assert balancer.check_listeners(run.system, lb, found.primary.target_group).bad == ()  # type: ignore[union-attr]


@pytest.mark.parametrize("confirm", ["", "yes", "orders"])
def test_a_flip_wants_the_service_typed(run: Runbook, confirm: str) -> None:
    """Nothing else will do, and nothing is changed before."""
    stop_without_rollback(run, releasing(run))
    weights = balancer.read_balancer(run.account, run.system).production.weights  # type: ignore[union-attr]
    with pytest.raises(GateClosed, match=r"wanted: the name of the service, orders-bg, as confirm"):
        go_back(run, confirm)
    assert balancer.read_balancer(run.account, run.system).production.weights == weights  # type: ignore[union-attr]


def test_a_flip_to_tasks_that_were_left_over_says_what_it_costs(
    run: Runbook, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the shift they are not the primary task set: the next deployment would be refused."""
    before = run.read(release.read_live)
    stop_without_rollback(run, shifted(run))
    assert next(iter(open_ways(run))) == rollback.FLIP
    assert go_back(run, confirm=run.system.service).bad == ()
    assert "the next deployment is refused until listener flip is done again" in capsys.readouterr().out
    assert balancer.read_balancer(run.account, run.system).live() == before.target_group


def test_an_unhealthy_live_task_closes_the_flip(run: Runbook) -> None:
    """What the listeners are led away from must be able to take them back."""
    stop_without_rollback(run, shifted(run))
    past = run.read(rollback.read_past)
    ill = replace(past, flip=replace(past.flip, healthy=False))
    (flip,) = [way for way in rollback.ways(run.system, ill) if way.name == rollback.FLIP]
    assert (flip.open, flip.reason.endswith("but not every task is healthy")) == (False, True)


def test_a_former_revision_that_cannot_start_closes_the_redeployment(run: Runbook) -> None:
    """Its image was deleted, or it was deregistered."""
    started = shifted(run)
    client = run.account.client("codedeploy")
    client.continue_deployment(deploymentId=started, deploymentWaitType="TERMINATION_WAIT")
    run.account.clock.sleep(300)
    assert rollback.REDEPLOY in open_ways(run)
    former = run.read(rollback.read_past).former
    run.account.client("ecs").deregister_task_definition(taskDefinition=former)
    assert closed(run, rollback.REDEPLOY) == f"{former} was deregistered: ECS starts no tasks of it"


def test_each_way_says_how_long_it_takes(run: Runbook) -> None:
    """From the last deployment's times and the shift of the parameters."""
    takes = {way.name: way.takes for way in rollback.ways(run.system, run.read(rollback.read_past))}
    assert takes[rollback.REDEPLOY] == "about 61 min (canary)"
    assert takes[rollback.STOP].startswith("about a minute")
    assert world() is not None
