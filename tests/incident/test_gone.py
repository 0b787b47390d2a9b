"""Parts of the system were deleted, by the incident or after it: the look back tells what it lacks, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import stories

from runbook_lib.account import Account
from runbook_lib.check import Verdict
from runbook_lib.errors import CheckFailed
from runbook_lib.incident import evidence
from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.story import capacity, chapters, forecasting, incident, teardown, watch
from runbook_lib.story.incident import Look
from runbook_lib.system import System


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    stories.close()


def looked(account: Account, system: System) -> Look:
    """At half an hour around the bad release."""
    now = account.clock.now()
    since = now.replace(hour=13, minute=45).isoformat()
    return incident.read(account, system, incident.find_window(account, system, since, now.isoformat()))


def everything(account: Account, system: System, found: Look) -> str:
    """The whole report, and what the sources could not tell."""
    return incident.document(account, system, found).markdown() + str(incident.gaps(account, system, found))


def test_what_was_deleted_is_named_and_the_rest_is_told() -> None:
    """First the repository, then a listener and its target group, then the load balancer."""
    account, system, _ = stories.begun("incident")
    elb = account.client("elbv2")
    account.client("codecommit").delete_repository(repositoryName=system.repository)
    found = looked(account, system)
    assert [cause.version for cause in found.incident.causes if cause.weight == STRONG] == ["orders:4"]
    assert found.incident.seen.files is None  # which the bad commit touched, nobody knows any more
    assert found.judge is not None
    assert found.judge().judgement.verdict == Verdict.FAIL

    balancer = elb.describe_load_balancers(Names=[system.balancer])["LoadBalancers"][0]["LoadBalancerArn"]
    for listener in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    (group,) = elb.describe_target_groups(Names=[system.target_groups[1]])["TargetGroups"]
    elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    found = looked(account, system)
    gone = "what was measured is not found of {}: there is none of that name now"
    assert gone.format("target group orders-b") in everything(account, system, found)
    assert found.judge is not None
    assert found.judge().judgement.verdict == Verdict.INCONCLUSIVE
    assert found.judge().logs.said == ("there is no target group orders-b",)

    elb.delete_load_balancer(LoadBalancerArn=balancer)
    account.clock.sleep(timedelta(minutes=20).total_seconds())  # CloudTrail follows by some minutes
    found = looked(account, system)
    told = everything(account, system, found)
    assert gone.format("load balancer orders, target group orders-b") in told
    assert "INCONCLUSIVE" in told
    assert forecasting.read_outlook(account, system).forecast is None
    with pytest.raises(CheckFailed, match="no load balancer orders"):
        capacity.read(account, system, 1)
    assert any("DeleteLoadBalancer" in entry.what for entry in found.incident.timeline.of("change"))


def test_an_earlier_look_is_read_again_when_everything_is_torn_down(tmp_path: Path) -> None:
    """The report of it can be written months later, and nothing of the system is asked for."""
    account, system, journal = stories.begun("incident")
    found = looked(account, system)
    evidence.save(found.incident.seen, tmp_path / evidence.NAME)
    chapters.do(teardown.plan_teardown(account, system, delete_source=True), account, journal)
    account.clock.sleep(timedelta(days=60).total_seconds())
    with pytest.raises(CheckFailed, match="wanted: a service behind CodeDeploy"):
        watch.history(account, system)
    assert watch.history(account, system, needed=False).rows == ()
    window = incident.find_window(account, system, "2026-03-02T13:45", "2026-03-02T14:22")
    again = incident.read(account, system, window, saved=str(tmp_path / evidence.NAME))
    assert again.incident.causes == found.incident.causes
    assert "the release" in everything(account, system, again)
    assert not incident.plan_hands(account, system, again, "show").steps
