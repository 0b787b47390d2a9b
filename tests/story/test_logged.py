"""A release of the past before the judge with the load balancer's access logs: by client, honest about their lag."""

from __future__ import annotations

from dataclasses import replace

import pytest
from story_stage import finish, opened, start

from runbook_lib import balancer, deployment
from runbook_lib.analysis import LOGS, METRICS
from runbook_lib.check import Verdict
from runbook_lib.runbook import Runbook
from runbook_lib.story import judging, logged, release
from runbook_lib.views import axis

LATER = 20 * 60  # seconds after which the files of a release are there


def released(rate: str, path: str = "") -> tuple[Runbook, str]:
    """A canary of a version that fails so often (on a path alone), stopped by the judge or let through."""
    run = opened(traffic="canary", step_minutes=15)
    before = run.read(release.read_live)
    started = start(run, environment={"APP_ERROR_RATE": rate, "APP_ERROR_PATH": path})
    finish(run, started, before)
    return run, started.id


def told(past: judging.Past, what: str) -> list[str]:
    return [row[1] for row in past.table().rows if row[0] == what]


def test_access_logs_judge_a_bad_release_beside_the_metrics() -> None:
    """Before the files can be there they say until when to wait; then they convict it by client, and name the path."""
    run, bad = released("0.075", "/")
    early = run.read(judging.retrospective, bad)
    assert {finding.source for finding in early.judgement.findings} == {METRICS}
    assert "files come up to 10 minutes late: ask again after" in told(early, "access logs")[0]
    run.account.clock.sleep(LATER)
    past = run.read(judging.retrospective, bad)
    by_source = {one.source: one for one in past.judgement.findings if one.question == "errors"}
    assert by_source[METRICS].verdict == by_source[LOGS].verdict == Verdict.FAIL
    assert by_source[LOGS].notes == ()
    assert abs(by_source[LOGS].green.requests - by_source[METRICS].green.requests) <= 1
    assert "requests from" in told(past, "access logs")[0]
    (worse,) = told(past, "worse on a path")
    assert worse.startswith("/: ")
    failed = by_source[LOGS].green.bad
    assert past.logs.paths[0].green[0] >= failed - 3  # what blue fails with as well lies on the other path, too


def test_a_load_balancer_without_logs_is_judged_by_its_metrics() -> None:
    """What is missing is said, and what to do for the next time."""
    run, bad = released("0.03")
    lb = balancer.read_pair(run.account, run.system)
    run.account.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=lb.arn, Attributes=[{"Key": "access_logs.s3.enabled", "Value": "false"}]
    )
    run.account.clock.sleep(LATER)
    past = run.read(judging.retrospective, bad)
    assert past.judgement.verdict == Verdict.FAIL
    assert {finding.source for finding in past.judgement.findings} == {METRICS}
    (said,) = told(past, "access logs")
    assert "writes no access log; turn it on" in said


def test_a_release_at_once_has_nothing_to_compare() -> None:
    """Both versions never had traffic at the same time."""
    run = opened(traffic="all_at_once")
    before = run.read(release.read_live)
    started = start(run)
    finish(run, started, before)
    past = run.read(judging.retrospective, started.id)
    assert told(past, "access logs") == ["both versions had traffic at the same time for less than a minute"]
    assert {finding.source for finding in past.judgement.findings} == {METRICS}


def test_what_is_slow_is_counted_where_no_metric_tells() -> None:
    """Minutes are gone after a fortnight, files stay as long as somebody keeps them: the limit is nearly the same."""
    run, bad = released("0.03")
    run.account.clock.sleep(LATER)
    pair, found = balancer.read_pair(run.account, run.system), deployment.read_deployment(run.account, run.system, bad)
    who = axis.roles(found, run.system.target_groups[0], run.system.target_groups)
    end = found.completed or run.account.clock.now()
    counted = logged.read(run.account, pair, who, found, end, slow_ms=None).observed
    known = run.read(judging.retrospective, bad).logs.observed
    assert counted is not None
    assert known is not None
    assert counted.slow_ms == pytest.approx(known.slow_ms, rel=0.05)


def test_a_long_bake_is_judged_by_what_was_ten_minutes_ago() -> None:
    """While the release is under way: what may still be missing is said, with the time to ask again."""
    run = opened(traffic="canary", step_minutes=60, judge="off")
    started = start(run, environment={"APP_ERROR_RATE": "0.03"})
    run.account.clock.sleep(40 * 60)
    past = run.read(judging.retrospective, started.id)
    assert not past.deployment.over
    found = next(one for one in past.judgement.findings if (one.source, one.question) == (LOGS, "errors"))
    assert found.verdict == Verdict.FAIL
    assert "may not be there yet: ask again after" in told(past, "access logs")[-1]


def test_who_could_not_tell_is_told_when_the_logs_can() -> None:
    """The answer does not make a verdict of it."""
    run = opened(traffic="all_at_once")
    before = run.read(release.read_live)
    made = finish(run, start(run), before)
    assert made.followed is not None
    judgement = made.followed.judgement
    assert judgement is not None
    unsure = replace(
        judgement, findings=tuple(replace(one, verdict=Verdict.INCONCLUSIVE) for one in judgement.findings)
    )
    answers = release.check_judged(run.account, run.system, replace(made.followed, judgement=unsure))
    assert answers.verdict == Verdict.INCONCLUSIVE
    assert f"runbook release --past {made.followed.deployment.id} reads them from" in answers.answers[-1].seen
    sure = replace(judgement, findings=tuple(replace(one, verdict=Verdict.OK) for one in judgement.findings))
    asked = release.check_judged(run.account, run.system, replace(made.followed, judgement=sure)).answers
    assert [one.verdict for one in asked] == [Verdict.OK] * len(asked)
