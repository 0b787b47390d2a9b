"""Before CodeDeploy knows the service, and while everything goes again: reads of deployments meet no group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import story_stage

from runbook_lib import balancer, begin, deployment, step
from runbook_lib.account import Account
from runbook_lib.errors import CheckFailed
from runbook_lib.story import move, release, rollback, teardown, watch


def test_a_service_that_codedeploy_does_not_know_is_refused_with_the_way_there() -> None:
    """An engineer who opens 50, 60 or 70 before the move is told so, and not in AWS's words."""
    run = begin("60_post_incident", story_stage.PARAMS, {}, world="rolling")
    assert deployment.read_deployments(run.account, run.system) == ()
    with pytest.raises(CheckFailed, match=r"no deployment group orders-bg .*application orders.*00_start_here") as told:
        run.look(watch.history)
    assert told.value.exit_code == 3


def test_a_group_without_a_deployment_is_no_error() -> None:
    run = begin("50_watch", story_stage.PARAMS, {}, world="moved")
    assert watch.history(run.account, run.system).rows == ()


def test_what_was_deleted_by_hand_is_named_before_anything_is_done() -> None:
    """A pair of target groups, then the load balancer: 15 and 30 say so; 40 offers no flip, 50 measures nothing."""
    run = begin("30_release", story_stage.PARAMS, {}, world="released")
    elb = run.account.client("elbv2")
    (found,) = elb.describe_load_balancers(Names=[run.system.balancer])["LoadBalancers"]
    for listener in elb.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])["Listeners"]:
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    assert watch.read_story(run.account, run.system).metrics.minutes
    for group in elb.describe_target_groups(Names=list(run.system.target_groups))["TargetGroups"]:
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    bad = release.check_safe(run.account, run.system, "2.1.0", {}).bad
    assert "no such target group" in [answer.seen for answer in bad]
    past = rollback.read_past(run.account, run.system)
    assert past.flip is not None
    assert not past.flip.healthy
    assert balancer.read_pair(run.account, run.system).groups == {}

    elb.delete_load_balancer(LoadBalancerArn=found["LoadBalancerArn"])
    assert watch.read_story(run.account, run.system).metrics.minutes == ()
    (answer,) = move.check_ready(run.account, run.system).bad
    assert (answer.seen, answer.wanted) == ("none", "orders")


def test_the_rolling_target_group_that_was_deleted_is_named_before_the_move() -> None:
    """It takes its listeners with it, or it could not be deleted; the load balancer stays."""
    run = begin("15_move_service", story_stage.PARAMS, {}, world="rolling")
    elb = run.account.client("elbv2")
    (group,) = elb.describe_target_groups(Names=[run.system.rolling_target_group])["TargetGroups"]
    (arn,) = group["LoadBalancerArns"]
    for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    assert "no such target group" in [answer.seen for answer in move.check_ready(run.account, run.system).bad]


def test_a_tear_down_is_planned_anew_after_a_kill_behind_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resource is gone, and the inventory does not know it yet."""
    run = begin("90_tear_down", story_stage.PARAMS, {}, world="bluegreen")
    called, left = step._call, []

    def call(one: step.Step, account: Account) -> Mapping[str, Any]:
        answer = called(one, account)
        left.append(len(teardown.plan_teardown(run.account, run.system, delete_source=True).needed))
        return answer

    monkeypatch.setattr(step, "_call", call)
    run.apply(teardown.plan_teardown(run.account, run.system, delete_source=True))
    assert len(left) > 40
    assert left[-1] == 0
    assert left == sorted(left, reverse=True)
