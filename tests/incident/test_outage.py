"""Nobody there: what no target got, and what nobody measured, is told as what it is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stories

from runbook_lib import balancer, metric
from runbook_lib.accesslog import LocalLogs
from runbook_lib.account import Account
from runbook_lib.incident import measuring, requests
from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.incident.requests import Means, Requests
from runbook_lib.incident.told import Told
from runbook_lib.story import incident
from runbook_lib.story.incident import Look
from runbook_lib.system import System

Story = tuple[Account, System, Look]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """The live group loses all its targets from 14:02 to 14:09."""
    yield stories.told("incident-outage")
    stories.close()


def test_requests_that_find_no_target_are_harm(story: Story) -> None:
    """Although no target group got them: from the first minute without a target to the last."""
    account, system, found = story
    harm, hurt = found.incident.harm, found.incident.damage
    assert harm is not None
    assert hurt is not None
    assert (f"{harm.start:%H:%M}", f"{harm.end:%H:%M}", harm.by) == ("14:02", "14:09", "errors")
    assert [(part.role, part.group, part.rate) for part in hurt.parts if part.phase == "during"] == [
        ("none", metric.NO_GROUP, 1.0)
    ]
    lb = balancer.read_balancer(account, system)
    errors = metric.read_balancer_errors(account, lb, start=harm.start, end=harm.end)
    assert errors == hurt.sum("failed") > 10_000
    assert found.incident.seen.requests is not None  # the log of the harm is read
    summary = str(incident.summary(account, system, found))
    assert "no target was in service" in summary
    assert "not known: no request in the access log had an answer of a target" in summary  # how many were slow


def test_it_is_told_when_the_targets_went_and_came(story: Story) -> None:
    """And by whom: the call that takes targets out is evidence, and a candidate by itself, weakly."""
    _, _, found = story
    told = [(f"{entry.at:%H:%M}", entry.what) for entry in found.incident.timeline.of("health")]
    assert told == [
        ("14:02", "orders-a: healthy targets 2 -> none"),
        ("14:09", "orders-a: healthy targets none -> 2"),
    ]
    first, *others = found.incident.causes
    assert (first.what, first.weight) == ("no target was in service", STRONG)
    assert first.evidence[1:] == (
        "14:02 operator: DeregisterTargets orders-a",
        "14:02 orders-a: healthy targets 2 -> none",
    )
    assert any("DeregisterTargets orders-a" in cause.what for cause in others)
    assert found.bad_commit is None


def test_behind_a_shared_load_balancer_it_may_be_anybodys(story: Story) -> None:
    """Then it is no harm of ours, and said."""
    account, system, found = story
    elb = account.client("elbv2")
    lb = balancer.read_balancer(account, system)
    network = elb.describe_load_balancers(LoadBalancerArns=[lb.arn])["LoadBalancers"][0]["VpcId"]
    other = elb.create_target_group(Name="carts", Protocol="HTTP", Port=80, VpcId=network, TargetType="ip")
    arn = other["TargetGroups"][0]["TargetGroupArn"]
    assert lb.production is not None
    rule = elb.create_rule(
        ListenerArn=lb.production.arn,
        Priority=7,
        Conditions=[{"Field": "path-pattern", "Values": ["/carts/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": arn}],
    )["Rules"][0]["RuleArn"]
    again = incident.read(account, system, found.incident.seen.window)
    assert again.incident.harm is None
    gaps = str(incident.gaps(account, system, again))
    assert "requests found no target; whose they were is not known: carts is served too" in gaps
    assert "no request was measured 2026-03-02 14:02 to 14:09" in str(incident.summary(account, system, again))
    elb.delete_rule(RuleArn=rule)
    elb.delete_target_group(TargetGroupArn=arn)


def test_the_budget_counts_the_requests_of_our_own_groups(story: Story) -> None:
    """By the hour, however many days the objective has: 90 of them are more points than one statistics call gives."""
    account, system, found = story
    long = system.params.objective.model_copy(update={"window_days": 90})
    quarter = replace(system, params=system.params.model_copy(update={"objective": long}))
    window = found.incident.seen.window
    lb = balancer.read_balancer(account, system)
    counted = measuring.requests_in_days(account, quarter, lb, window.end)
    start = window.end.replace(hour=9, minute=0)
    groups = (system.rolling_target_group, *system.target_groups)
    minutes = metric.read_metrics(account, lb, groups, start=start, end=window.end).minutes
    assert counted == sum(minute.requests or 0 for minute in minutes) > 500_000


def logged(story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Requests, Told]:
    """The log again, with "-" as the target group of what no target got: which of both AWS writes is not certain."""
    account, system, found = story
    s3, seen = account.client("s3"), found.incident.seen
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=system.access_log_bucket)["Contents"]]
    for key in (key for key in keys if key.endswith(".log.gz")):
        lines = gzip.decompress(s3.get_object(Bucket=system.access_log_bucket, Key=key)["Body"].read())
        (folder / key.rpartition("/")[2]).write_bytes(gzip.compress(_untargeted(lines.decode()).encode()))
    monkeypatch.setattr(requests, "logs_of", lambda *_: LocalLogs(folder))
    lb = balancer.read_balancer(account, system)
    told, why = requests.read(account, system, lb, seen.window, found.incident.harm, seen.tenures, Means())
    assert told is not None
    return told, why


def _untargeted(lines: str) -> str:
    told = []
    for line in lines.splitlines():
        fields = line.split(" ")
        if fields[8:10] == ["503", "-"]:
            fields = ["-" if ":targetgroup/" in field else field for field in fields]
        told.append(" ".join(fields) + "\n")
    return "".join(told)


def test_the_log_tells_what_no_target_got_whatever_it_calls_the_group(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the group's name it is of the group's role, with "-" of the role none; all else is the same."""
    _, _, found = story
    named, hurt = found.incident.seen.requests, found.incident.damage
    assert named is not None
    assert hurt is not None
    unnamed, why = logged(story, tmp_path, monkeypatch)
    failed = hurt.sum("failed")
    for told, role in ((named, "live"), (unnamed, "none")):
        during = [(one.role, one.requests, one.elb_5xx) for one in told.served if one.phase == "during"]
        assert during == [(role, failed, failed)]
        assert sum(told.heat.unanswered) == failed
        assert sum(map(sum, told.heat.counts)) + failed == sum(one.requests for one in told.served)
    assert (unnamed.worst, unnamed.clients) == (named.worst, named.clients)
    assert unnamed.clients > 100
    assert f"{failed:,.0f} requests reached no target group and got a 5xx: counted as ours" in str(unnamed.said_table())
    assert "no target group" not in why.missing


def test_behind_a_shared_load_balancer_the_log_does_not_say_whose_it_was(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is counted nowhere, and said."""
    monkeypatch.setattr(balancer, "read_other_groups", lambda *_: ("carts",))
    told, why = logged(story, tmp_path, monkeypatch)
    assert {one.phase for one in told.served} == {"before", "after"}
    assert (told.clients, sum(told.heat.unanswered)) == (0, 0)
    assert "whose they were the log does not say, carts is served too" in why.missing
    assert why.missing in str(told.said_table())
