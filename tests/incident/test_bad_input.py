"""What a look back may lack or be given wrong: each has an answer of its own, and the report says what is missing."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stories

from runbook_lib import balancer
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.journal import Journal
from runbook_lib.step import apply
from runbook_lib.story import counting, incident
from runbook_lib.story.incident import Look
from runbook_lib.system import System

Story = tuple[Account, System, Look]
BROKEN = (  # lines that a load balancer's bug, or whatever copied the file, made of a good one
    'h2 2026-03-02T14:03:01.0Z app/x/1 203.0.113.77:5000 10.0.0.5:8080 0.1 0.2 0.1 500 500 9 9 "GET https://x:443/pay',
    "h2 2026-03-02T14:03:02.0Z app/x/1 2001:db8::77:51234 10.0.0.5:8080 0.1 0.2 0.1 500 500 9 9 "
    '"GET https://x:443/pay?card=4111111111111111&mail=anna@example.com HTTP/2.0" "raw " quote" '
    '- - arn:x "Root=1" "-" "-" 0 2026-03-02T14:03:02.0Z "forward" "-" "-" "-" "-" "-" "-"',
)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Version 3 fails 30 % of its requests; the world in which it did is still there."""
    yield stories.told("incident")
    stories.close()


def again(story: Story, *journals: Journal, **more: Any) -> Look:
    account, system, found = story
    return incident.read(account, system, found.incident.seen.window, journals, **more)


def missing(look: Look, source: str = "access logs") -> str:
    return next((gap.missing for gap in look.incident.timeline.gaps if gap.source == source), "")


def harm_is_told(look: Look, story: Story, words: str) -> bool:
    """The rest of the story is there, and both forms of the report say what is not."""
    account, system, _ = story
    document = incident.document(account, system, look)
    said = [words in form.replace("\\", "") for form in (document.html(), document.markdown())]
    return look.incident.harm is not None and bool(look.incident.causes) and all(said)


@contextmanager
def logging_to(story: Story, bucket: str, prefix: str = "") -> Iterator[None]:
    """A load balancer whose attributes name another place."""
    client = story[0].client("elbv2")
    told = {"enabled": "true", "bucket": bucket, "prefix": prefix}
    answer = {"Attributes": [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in told.items()]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "describe_load_balancer_attributes", lambda **_: answer)
        yield


def keys(story: Story) -> list[str]:
    """The files of the harm, oldest first."""
    account, system, _ = story
    found = account.client("s3").list_objects_v2(Bucket=system.access_log_bucket)["Contents"]
    return sorted(one["Key"] for one in found if "T1405Z" in one["Key"] or "T1410Z" in one["Key"])


def content(story: Story, key: str) -> bytes:
    account, system, _ = story
    body: bytes = account.client("s3").get_object(Bucket=system.access_log_bucket, Key=key)["Body"].read()
    return body


@contextmanager
def written(story: Story, key: str, body: bytes) -> Iterator[None]:
    """A file of the log with another content, or one more."""
    account, system, _ = story
    s3, bucket = account.client("s3"), system.access_log_bucket
    before = content(story, key) if key in keys(story) else None
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    yield
    if before is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=before)


def test_a_log_that_is_switched_on_but_empty(story: Story) -> None:
    """Nothing was ever written there."""
    _, system, _ = story
    with logging_to(story, system.access_log_bucket, "elsewhere"):
        look = again(story)
    assert "there is no log at all; wanted: files of that time; correct window, load balancer" in missing(look)
    assert harm_is_told(look, story, "there is no log at all")


def test_a_log_in_a_bucket_that_is_not_there(story: Story) -> None:
    """By its name."""
    with logging_to(story, "nowhere-at-all"):
        look = again(story)
    assert missing(look) == "no bucket nowhere-at-all; wanted: the bucket of the log; correct its name"
    assert harm_is_told(look, story, "no bucket nowhere-at-all")


def error(code: str, operation: str, **headers: str) -> Exception:
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    return ClientError(answer, operation)


def refusing(problem: Exception) -> Any:
    def refuse(*arguments: object, **more: object) -> Any:
        raise problem

    return refuse


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", r"AccessDenied from s3://\S+; wanted: s3:ListBucket on .* and s3:GetObject on .*/\* for arn:"),
        ("PermanentRedirect", "lies in eu-west-1; wanted: a bucket in us-east-1; open the account with the region of"),
    ],
)
def test_a_log_that_may_not_be_read_or_lies_elsewhere(
    story: Story, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    """Which permission is wanted, or in which region the bucket lies."""
    account, system, _ = story
    problem = error(code, "ListObjectsV2", **{"x-amz-bucket-region": "eu-west-1"})
    pages = type("Pages", (), {"paginate": staticmethod(refusing(problem))})
    monkeypatch.setattr(account.client("s3"), "get_paginator", lambda _: pages)
    look = again(story)
    assert re.search(words, missing(look))
    assert harm_is_told(look, story, "; wanted: ")
    asked_for = "Let the runbooks read access logs" in str(incident.todo(account, system, look))
    assert asked_for == (code == "AccessDenied")


def test_a_load_balancer_that_may_not_be_asked(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it writes a log is not known; the plan for Athena says the same."""
    account, system, found = story
    lb = account.client("elbv2")
    read = balancer.read_balancer(account, system)
    monkeypatch.setattr(balancer, "read_balancer", lambda *_: read)
    problem = error("AccessDenied", "DescribeLoadBalancerAttributes")
    monkeypatch.setattr(lb, "describe_load_balancer_attributes", refusing(problem))
    look = again(story)
    assert missing(look) == "DescribeLoadBalancerAttributes was refused: AccessDenied: no"
    assert harm_is_told(look, story, "DescribeLoadBalancerAttributes was refused")
    how = counting.choose(account, system, found.incident.seen.window, athena_gigabytes=1)
    assert "DescribeLoadBalancerAttributes was refused" in how.said


def test_metrics_that_may_not_be_read_end_the_look(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them nothing says which minutes hurt; the permission is named."""
    client = story[0].client("cloudwatch")
    problem = error("AccessDenied", "GetMetricData")
    monkeypatch.setattr(client, "get_paginator", refusing(problem))
    monkeypatch.setattr(client, "get_metric_data", refusing(problem))
    with pytest.raises(CheckFailed, match=r"GetMetricData was refused.*wanted: cloudwatch:GetMetricData for"):
        again(story)


def test_a_half_written_file(story: Story) -> None:
    """What could be read of it is counted, and the file is named; Athena has no answer, and the rest is told."""
    account, system, found = story
    known, key = found.incident.seen.requests, keys(story)[0]
    assert known is not None
    whole = content(story, key)
    how = counting.choose(account, system, found.incident.seen.window, athena_gigabytes=1)
    journal = Journal(account.clock)
    with written(story, key, whole[: len(whole) // 2]):
        look = again(story)
        apply(counting.plan_table(account, system, how), account=account, journal=journal)
        by_athena = again(story, journal, how=how)
        apply(counting.plan_drop(account, system, how), account=account, journal=journal)
    seen = look.incident.seen.requests
    assert seen is not None
    assert sum(one.requests for one in known.served) - sum(one.requests for one in seen.served) > 0
    words = f"{key.rpartition('/')[2]} is half-written"
    assert words in missing(look)
    assert harm_is_told(look, story, "is half-written: it ends before its end; what could be read of it was counted")
    assert "a damaged file is read by the engine DuckDB, which says which one" in missing(by_athena)
    assert harm_is_told(by_athena, story, "a damaged file is read by the engine DuckDB")


@dataclass(frozen=True)
class FastClock:
    """A machine's clock that is 42 seconds ahead of AWS's."""

    clock: Any

    def now(self) -> datetime:
        now: datetime = self.clock.now()
        return now + timedelta(seconds=42)


def test_a_runbooks_clock_that_is_wrong(story: Story) -> None:
    """Its lines are told by CloudTrail's time; the report says how far it was off."""
    _, _, found = story
    commits = (one for one in found.incident.timeline.entries if one.fact == "call CreateCommit")
    commit = next(one for one in commits if one.at.hour > 12)
    moment = type("Moment", (), {"now": lambda self: commit.at})()
    journal = Journal(FastClock(moment))  # type: ignore[arg-type]
    for _ in range(2):
        journal.write("step", id="x", call="codecommit:CreateCommit", touches="orders", done=True, reason="")
    look = again(story, journal)
    assert "42 s ahead of" in missing(look, "journal")
    assert harm_is_told(look, story, "42 s ahead of")


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("2026-03-03T09:00", "", "it begins at 2026-03-03 09:00 UTC, and now it is 2026-03-02"),
        ("2025-03-02T09:00", "2026-03-02T09:00", "365 days; wanted: at most 7 days"),
        ("", "14:30", "until 14:30, and no since"),
    ],
)
def test_a_window_that_cannot_be_looked_at(story: Story, since: str, until: str, words: str) -> None:
    """Before anything is read."""
    with pytest.raises(BadInput, match=words):
        incident.find_window(story[0], story[1], since, until)


def test_a_window_whose_metrics_have_expired(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older than fifteen days, and no earlier look at it; nothing is planned for Athena either."""
    account, system, _ = story
    monkeypatch.chdir(tmp_path)
    window = incident.find_window(account, system, "2026-02-10T09:00", "10:00")
    with pytest.raises(CheckFailed, match="older than the 15 days for which minutes are kept"):
        incident.read(account, system, window)
    assert counting.choose(account, system, window, athena_gigabytes=1).asked is None


def test_another_service_behind_the_same_load_balancer(story: Story) -> None:
    """Its requests, and those that reached nobody, change no number; how many there were is told."""
    _, _, found = story
    known, key = found.incident.seen.requests, keys(story)[0]
    lines = gzip.decompress(content(story, key)).decode().splitlines()
    group = re.compile(r" (arn:aws:elasticloadbalancing:\S+:targetgroup/\S+) ")
    other = [group.sub(r" arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/other/1 ", x) for x in lines]
    nobody = [group.sub(" - ", line) for line in lines[:10]]
    beside = key.replace(key.rpartition("_")[2], "zzzzzzzz.log.gz")
    with written(story, beside, gzip.compress("\n".join([*other, *nobody, ""]).encode())):
        look = again(story)
    assert known is not None
    seen = look.incident.seen.requests
    assert seen is not None
    assert (seen.served, seen.worst, seen.heat) == (known.served, known.worst, known.heat)
    told = f"{len(lines):,} requests went to target groups of other services"
    assert told in missing(look)
    assert "10 requests reached no target group" in missing(look)
    assert harm_is_told(look, story, told)


def test_failures_of_one_path_are_evidence(story: Story) -> None:
    """The same log, but whatever failed during the harm had asked for /checkout: the cause and the damage say so."""
    account, system, found = story
    assert found.incident.seen.requests is not None
    assert found.incident.seen.requests.concentration is None  # the bad version fails on every path alike
    url = re.compile(r'"(\w+) (\w+://[^/ ]+)/\S* ')
    with ExitStack() as files:
        for key in (one for one in keys(story) if one.endswith(".gz")):
            lines = gzip.decompress(content(story, key)).decode().splitlines()
            moved = [url.sub(r'"\1 \2/checkout ', line) if " 500 500 " in line else line for line in lines]
            files.enter_context(written(story, key, gzip.compress("\n".join([*moved, ""]).encode())))
        look = again(story)
    told = r"all of the failed requests lie on /checkout, which gets 8\.\d % of the requests"
    assert any(re.fullmatch(told, line) for line in look.incident.causes[0].evidence)
    assert re.search(told, incident.worst(account, system, look).title)


def test_rejected_lines_are_shown_and_hidden_in_the_report(story: Story, tmp_path: Path) -> None:
    """Whoever looks sees one of each kind; the report, as a page and as Markdown, has no client in it."""
    account, system, _ = story
    beside = keys(story)[0].replace(keys(story)[0].rpartition("_")[2], "yyyyyyyy.log")
    with written(story, beside, "\n".join([*BROKEN, ""]).encode()):
        look = again(story)
    shown = str(incident.rejected(account, system, look))
    hidden = ("203.0.113.77", "2001:db8::77", "4111111111111111", "anna@example.com")
    assert all(secret in shown for secret in hidden)
    assert "1 lines were not counted: the line ends before its 29th field." in missing(look)
    paths = incident.document(account, system, look).write(tmp_path, "incident")
    for path in paths[:2]:
        text = path.read_text(encoding="utf-8").replace("\\", "")
        assert "a raw quote inside a field moves the fields behind it" in text
        assert re.search(r"h2 2026-03-02T14:03:01\.0Z app/x/1 address-\d+:5000", text)
        assert [secret for secret in hidden if secret in text] == []
