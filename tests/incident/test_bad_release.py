"""A bad release: the look back finds its true story, in the sandbox, from what AWS's answers say."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import stories

from runbook_lib.accesslog import LocalLogs
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.incident import evidence, links, look, requests
from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.incident.requests import Means
from runbook_lib.journal import Journal
from runbook_lib.story import counting, incident
from runbook_lib.story.incident import Look
from runbook_lib.system import System

Story = tuple[Account, System, Look]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Version 3 fails 30 % of its requests; the world in which it did is still there."""
    yield stories.told("incident")
    stories.close()


def test_a_bad_release_is_found_with_its_times(story: Story) -> None:
    """Traffic at 14:02, alarm at 14:06, rolled back at 14:07."""
    _, _, found = story
    spans = found.incident.intervals
    assert spans is not None
    moments = [spans.started, spans.detected.at, spans.decided.at, spans.recovered.at]
    assert [f"{moment:%H:%M}" for moment in moments if moment] == ["14:02", "14:06", "14:06", "14:07"]
    assert "ALARM" in spans.detected.by
    parts = [share.took for share in found.incident.shares]
    assert sum(parts[:2], parts[0] - parts[0]) == spans.to_detect


def test_the_release_is_blamed_and_nothing_else_strongly(story: Story) -> None:
    """With the revision that carried the errors, the failure mode, and what changed."""
    _, _, found = story
    strong = [cause for cause in found.incident.causes if cause.weight == STRONG]
    assert len(strong) == 1
    assert "orders:4" in strong[0].what
    assert "D22" in strong[0].modes
    fields = {one.field: one for one in found.incident.seen.differences}
    assert fields["containerDefinitions[orders].environment[APP_ERROR_RATE].value"].is_now == "***"
    assert fields["containerDefinitions[orders].environment[APP_VERSION].value"].is_now == "3.0.0"
    assert found.incident.seen.files == ("taskdef.json",)


def test_damage_is_told_by_the_role_at_that_time(story: Story) -> None:
    """Only the new version failed much, and the groups had other roles before."""
    account, _, found = story
    hurt = found.incident.damage
    assert hurt is not None
    green, blue = hurt.rate(role="green"), hurt.rate(role="blue")
    assert green is not None
    assert blue is not None
    assert 0.27 < green < 0.33
    assert blue < 0.005
    # Counted a second time from the load balancer's own metric, without any target group.
    harm = found.incident.harm
    assert harm is not None
    named = {"Name": "LoadBalancer", "Value": _dimension(account)}
    asked = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": [named]}
    times = {"StartTime": harm.start, "EndTime": harm.end, "Period": 60, "Statistics": ["Sum"]}
    points = account.client("cloudwatch").get_metric_statistics(**asked, **times)["Datapoints"]
    assert sum(point["Sum"] for point in points) == hurt.sum("requests")


def test_the_access_log_says_the_same_as_the_metrics(story: Story) -> None:
    """Request by request: the same requests and failures for each role during the harm."""
    _, _, found = story
    seen, hurt = found.incident.seen.requests, found.incident.damage
    assert seen is not None
    assert hurt is not None
    during = {one.role: one for one in seen.served if one.phase == "during"}
    assert (during["blue"].revision, during["green"].revision) == ("orders:3", "orders:4")
    for role in ("blue", "green"):
        one = during[role]
        assert one.requests == hurt.sum("requests", role=role)
        assert one.elb_5xx + one.target_5xx == hurt.sum("failed", role=role)
    # The minutes in which both versions stood before and after the harm are theirs too.
    for phase in ("before", "after"):
        beside = {one.role: one.requests for one in seen.served if one.phase == phase}
        assert beside["blue"] == hurt.sum("requests", phase, "blue") > 0
    assert sum(one.failed for one in seen.worst["status"]) == hurt.sum("failed")
    assert {one.value for one in seen.worst["zone"]} == {"us-east-1a", "us-east-1b"}
    worst = seen.worst["target"][:2]  # both tasks of the new version
    assert sum(one.failed for one in worst) == hurt.sum("failed", role="green")
    assert sum(map(sum, seen.heat.counts)) == sum(one.requests for one in seen.served)


def test_without_an_access_log_the_rest_is_told(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it is missing, with what to do."""
    account, system, found = story
    attributes = {"Attributes": [{"Key": "access_logs.s3.enabled", "Value": "false"}]}
    monkeypatch.setattr(account.client("elbv2"), "describe_load_balancer_attributes", lambda **_: attributes)
    window = found.incident.seen.window
    again = incident.read(account, system, window)
    assert again.incident.seen.requests is None
    assert "writes no access log" in str(incident.gaps(account, system, again))
    assert "writes no access log" in str(incident.worst(account, system, again))
    assert incident.heat(account, system, again).sentence.startswith("No data")
    assert again.incident.damage is not None


def test_a_cluster_counts_the_same(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its scheduler's address, of files that its workers reach; one that nobody answers at is told."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    account, system, found = story
    window, s3 = found.incident.seen.window, account.client("s3")
    for one in s3.list_objects_v2(Bucket=system.access_log_bucket)["Contents"]:
        body = s3.get_object(Bucket=system.access_log_bucket, Key=one["Key"])["Body"].read()
        (tmp_path / one["Key"].rpartition("/")[2]).write_bytes(body)
    monkeypatch.setattr(requests, "logs_of", lambda *_: LocalLogs(tmp_path))
    alone = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**alone) as cluster:
        how = counting.choose(account, system, window, scheduler=cluster.scheduler_address)
        again = incident.read(account, system, window, how=how).incident.seen.requests
    known = found.incident.seen.requests
    assert known is not None
    assert again is not None
    assert (again.served, again.worst, again.heat) == (known.served, known.worst, known.heat)


def test_a_fact_that_several_sources_know_is_told_once(story: Story) -> None:
    """By the earliest, with everybody who told it."""
    _, _, found = story
    commits = [entry for entry in found.incident.timeline.entries if entry.fact == "call CreateCommit"]
    assert [entry.sources for entry in commits if entry.at.hour >= 13] == ["CloudTrail, journal"]
    kinds = {entry.kind for entry in found.incident.timeline.entries}
    assert {"change", "delivery", "traffic", "alarm", "task"} <= kinds


def test_every_entry_links_to_its_page_of_the_console(story: Story) -> None:
    """In the region of the system and the partition's own console; a runbook's journal has no page there."""
    _, system, found = story
    entries = found.incident.timeline.entries
    assert {entry.sources for entry in entries if not entry.link} <= {"journal"}
    assert any(entry.sources == "CloudTrail, journal" and entry.link for entry in entries)
    page = re.compile(r"https://(\w|-)*\.?console\.aws\.amazon\.com/\S+[?]region=us-east-1\S*")
    assert [entry.link for entry in entries if entry.link and not page.fullmatch(entry.link)] == []
    china = replace(system, partition="aws-cn", region="cn-north-1")
    assert links.task(china, "0123") == (
        f"https://console.amazonaws.cn/ecs/v2/clusters/{system.cluster}/tasks/0123?region=cn-north-1"
    )


def test_the_report_links_where_there_is_a_console(story: Story) -> None:
    """The same addresses in both forms on AWS, none in a sandbox, and none that holds what is hidden."""
    account, system, found = story
    real = replace(system, params=system.params.model_copy(update={"target": "aws"}))
    document = incident.document(account, real, found)
    of_page = [html.unescape(link) for link in re.findall(r"<a href='([^']*)'", document.html())]
    assert of_page == re.findall(r"\]\(<([^>]*)>\)", document.markdown())
    known = [entry.link for entry in found.incident.timeline.entries if entry.link]
    assert of_page == [link for link in known if system.account not in link]
    assert len(of_page) > 10
    in_sandbox = incident.document(account, system, found)
    assert "<a " not in in_sandbox.html()
    assert "in a sandbox without the links into the console" in in_sandbox.markdown()


def test_the_report_says_the_same_in_each_form(story: Story, tmp_path: Path) -> None:
    """One page that fetches nothing, and Markdown: every number of one is in the other."""
    account, system, found = story
    document = incident.document(account, system, found)
    paths = document.write(tmp_path, "incident")
    page, text = paths[0].read_text(encoding="utf-8"), paths[1].read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    bare = html.unescape(re.sub(r"<[^>]+>", " ", page.partition("</head>")[2]))
    assert _numbers(bare) == _numbers(re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text))
    assert all(path.stat().st_size > 1000 for path in paths)


def test_the_report_hides_people_accounts_and_secrets(story: Story, tmp_path: Path) -> None:
    """What the timeline itself shows to the person who may read the account."""
    account, system, found = story
    text = incident.document(account, system, found).markdown()
    assert "operator" in str(found.incident.timeline.table(linked=False))
    for secret in ("operator", system.account, "0.3"):
        assert not re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.])", text)
    assert "person-1" in text


def test_a_look_is_kept_and_read_again(story: Story, tmp_path: Path) -> None:
    """Everything follows from it again, without AWS."""
    _, system, found = story
    path = tmp_path / "one" / evidence.NAME
    evidence.save(found.incident.seen, path)
    again = evidence.load(path)
    assert look.reason(again, system.params.objective, system.params.alarms) == found.incident
    window = found.incident.seen.window
    assert evidence.covering(tmp_path, system.service, window).look == (again, path)
    assert evidence.covering(tmp_path, "other", window).look is None


def test_a_window_that_metrics_have_forgotten_is_answered_from_what_was_kept(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is refused, and says why; nothing is made up."""
    account, system, found = story
    monkeypatch.chdir(tmp_path)
    window = found.incident.seen.window
    monkeypatch.setattr(look, "expired", lambda account, window: True)
    with pytest.raises(CheckFailed, match="older than the 15 days"):
        incident.read(account, system, window)
    evidence.save(found.incident.seen, tmp_path / "runs" / "x" / evidence.NAME)
    again = incident.read(account, system, window)
    assert again.incident == found.incident
    assert "is an earlier look" in str(incident.judged(account, system, again))  # AWS is not asked about it again
    assert "FAIL" in str(incident.judged(account, system, found))


def test_a_bad_file_below_runs_is_passed_over_and_told(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a full disk cut off does not hide the good ones; without a good one it is told, too."""
    account, system, found = story
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(look, "expired", lambda account, window: True)
    bad = tmp_path / "runs" / "a" / evidence.NAME
    bad.parent.mkdir(parents=True)
    bad.write_text('{"service": "ord')
    window = found.incident.seen.window
    with pytest.raises(CheckFailed, match=r"older than the 15 days.*passed over: runs/a/incident\.json"):
        incident.read(account, system, window)
    evidence.save(found.incident.seen, tmp_path / "runs" / "x" / evidence.NAME)
    again = incident.read(account, system, window)
    (gap,) = (gap.missing for gap in again.incident.timeline.gaps if gap.source == "earlier look")
    assert gap.startswith("passed over: runs/a/incident.json: ")


def test_an_earlier_look_says_of_which_window_it_is(story: Story, tmp_path: Path) -> None:
    """Its tables are of its own window, whatever this run's is."""
    account, system, found = story
    path, window = tmp_path / evidence.NAME, found.incident.seen.window
    evidence.save(found.incident.seen, path)
    for asked, part in (
        (Window(window.start + timedelta(minutes=5), window.end), "is a part of it"),
        (Window(window.start - timedelta(hours=1), window.end), "is not in it, or not wholly"),
    ):
        again = incident.read(account, system, asked, saved=str(path))
        gaps = str(incident.gaps(account, system, again))
        assert f"this is a look at {window}; the window of this run, {asked}, {part}" in gaps
    assert "earlier look" not in str(
        incident.gaps(account, system, incident.read(account, system, window, saved=str(path)))
    )


def test_the_report_of_an_earlier_look_lies_with_the_run_that_writes_it(story: Story, tmp_path: Path) -> None:
    """The folder of the earlier run stays as it is."""
    account, system, found = story
    earlier, mine = tmp_path / "runs" / "1" / evidence.NAME, tmp_path / "runs" / "2"
    evidence.save(found.incident.seen, earlier)
    journal = Journal(account.clock, mine / "journal.jsonl")
    again = incident.read(account, system, found.incident.seen.window, [journal], saved=str(earlier))
    incident.write_report(account, system, again)
    assert {"incident.html", "incident.md"} <= {path.name for path in mine.iterdir()}
    assert [path.name for path in earlier.parent.iterdir()] == [evidence.NAME]


def test_what_cannot_be_done_at_the_end_is_refused_at_the_beginning(story: Story, tmp_path: Path) -> None:
    """A word of the hands, a folder for the report: before an hour of log is read."""
    account, system, found = story
    with pytest.raises(BadInput, match="show, freeze, unfreeze"):
        incident.accept(account, system, "thaw", "")
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for folder in (taken, taken / "below"):
        with pytest.raises(BadInput, match=rf"report {folder}.*a folder that can be written"):
            incident.accept(account, system, "show", str(folder))
        with pytest.raises(BadInput, match="lies beside this run's journal"):
            incident.write_report(account, system, found, str(folder))
    incident.accept(account, system, "show", "")
    incident.accept(account, system, "freeze", str(tmp_path / "new" / "one"))
    assert (tmp_path / "new" / "one").is_dir()


def test_a_file_that_is_no_look_is_refused(story: Story, tmp_path: Path) -> None:
    """With its name, and what is wrong in it."""
    path = tmp_path / evidence.NAME
    with pytest.raises(BadInput, match="No such file"):
        evidence.load(path)
    path.write_text(json.dumps({"service": "orders"}))
    with pytest.raises(BadInput, match=r"incident\.json.*window"):
        evidence.load(path)
    with pytest.raises(BadInput, match="Is a directory"):
        evidence.load(tmp_path)


def test_a_look_at_another_service_is_refused(story: Story, tmp_path: Path) -> None:
    """Its incident would be shown beside this one's pipeline."""
    account, system, found = story
    path = tmp_path / evidence.NAME
    evidence.save(replace(found.incident.seen, service="payments"), path)
    assert [kept.name for kept in tmp_path.iterdir()] == [evidence.NAME]
    with pytest.raises(BadInput, match="a look at payments; wanted: one at orders-bg"):
        incident.read(account, system, found.incident.seen.window, saved=str(path))


def test_a_source_that_may_not_be_read_is_told_as_a_gap(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are asked all the same."""
    account, system, found = story
    client = account.client("cloudtrail")
    error = client.exceptions.ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")

    def refused(*arguments: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(client, "get_paginator", refused)
    seen = look.read(account, system, found.incident.seen.window, (), Means())
    gaps = {one.source: one.missing for one in seen.told if one.missing}
    assert gaps["CloudTrail"] == "LookupEvents was refused: AccessDeniedException: no"
    assert len({entry.source for one in seen.told for entry in one.entries}) >= 5
    again = look.reason(seen, system.params.objective, system.params.alarms)
    assert [cause.what for cause in again.causes if cause.weight == STRONG] == [found.incident.causes[0].what]


def test_a_quiet_window_has_no_harm(story: Story) -> None:
    """And says so in every table."""
    account, system, _ = story
    window = incident.find_window(account, system, "11:00", "11:30")
    found = incident.read(account, system, window)
    assert found.incident.harm is None
    assert found.incident.causes == ()
    assert "no minute" in str(incident.summary(account, system, found))
    assert "no minute" in str(incident.causes(account, system, found))


def test_a_window_before_everything_is_empty_and_says_so(story: Story) -> None:
    """No traffic is no proof of health."""
    account, system, _ = story
    window = Window(account.clock.now().replace(hour=6, minute=0), account.clock.now().replace(hour=7, minute=0))
    found = incident.read(account, system, window)
    assert "no request was measured" in str(incident.gaps(account, system, found))
    assert "not known: no request was measured" in str(incident.summary(account, system, found))
    assert "not known" in str(incident.causes(account, system, found))


def test_the_hands_close_and_open_the_way(story: Story) -> None:
    """Freezing names the bad commit; opening is refused while what it changed is in the head of the branch."""
    account, system, found = story
    assert found.bad_commit is not None
    plan = incident.plan_hands(account, system, found, "freeze")
    assert not plan.needed  # the release closed it already
    refused = incident.check_hands(account, system, found, "unfreeze")
    head, files = refused.bad
    assert head.seen == found.bad_commit[:7]
    assert files.seen == "none of taskdef.json"
    assert incident.plan_hands(account, system, found, "unfreeze").needed
    client = account.client("codecommit")

    def push(path: str, text: str) -> str:
        branch = client.get_branch(repositoryName=system.repository, branchName=system.branch)["branch"]
        made = client.put_file(
            repositoryName=system.repository,
            branchName=system.branch,
            parentCommitId=branch["commitId"],
            filePath=path,
            fileContent=text.encode(),
        )
        return str(made["commitId"])

    # What a commit on top of it does not touch is still what would be deployed.
    push("NOTES.md", "nothing of the application")
    again = incident.read(account, system, found.incident.seen.window)
    assert again.bad_commit == found.bad_commit
    (still,) = incident.check_hands(account, system, again, "unfreeze").bad
    assert still.seen == "none of taskdef.json"
    text = client.get_file(repositoryName=system.repository, filePath="taskdef.json")["fileContent"].decode()
    push("taskdef.json", text.replace('"0.3"', '"0.0"') + "\n")
    assert not incident.check_hands(account, system, again, "unfreeze").bad
    with pytest.raises(BadInput, match="show, freeze, unfreeze"):
        incident.plan_hands(account, system, found, "thaw")


def _dimension(account: Account) -> str:
    found = account.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return str(found[0]["LoadBalancerArn"]).partition("loadbalancer/")[2]


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text.replace("\\", ""))


def test_targets_that_come_are_told(story: Story) -> None:
    """The new version's group had none before: its metric begins with them."""
    _, _, found = story
    told = [entry.what for entry in found.incident.timeline.of("health")]
    assert told[0] == "orders-b: healthy targets none -> 2"
