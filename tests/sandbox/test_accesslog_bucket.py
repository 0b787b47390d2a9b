"""Access logs in their bucket: found, listed and fetched as a folder is, and why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import ecs_stage
import logs_stage
import pytest
from accesslog_stage import HOUR, MESSY, Stage, fresh, same
from botocore.exceptions import ClientError

from runbook_lib.accesslog import LocalLogs, NoAccessLog, Window, logs_of, read_access_logs
from runbook_lib.account import Account
from runbook_lib.sandbox import Sandbox
from tests.logs_made import ACCOUNT, ELB, START, key, make


@pytest.fixture
def stage() -> Iterator[Stage]:
    with fresh() as stage:
        yield stage


def test_a_bucket_is_read_as_a_folder_is(stage: Stage, tmp_path: Path) -> None:
    """Only what the window needs is listed and fetched."""
    truth = make(replace(MESSY, seed=7, minutes=60), tmp_path)
    stage.upload(truth, tmp_path)
    stage.put(key(START, "198.51.100.20", "x", balancer="app/other/1"), b"broken")
    stage.put(f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile", b"Enable AccessLog")
    window = Window(START + timedelta(minutes=20), START + timedelta(minutes=30))
    here, there = read_access_logs(LocalLogs(tmp_path, ELB), window), read_access_logs(stage.logs, window)
    assert same(here, there)
    assert there.coverage.files == 12
    assert read_access_logs(stage.logs, HOUR).requests == truth.histogram.total()


def test_a_long_window_is_listed_by_days(stage: Stage, tmp_path: Path) -> None:
    """With the same answer."""
    truth = make(replace(MESSY, seed=7), tmp_path)
    stage.upload(truth, tmp_path)
    day = Window(START - timedelta(hours=20), START + timedelta(hours=2))
    assert read_access_logs(stage.logs, day).requests == truth.histogram.total()


@pytest.mark.parametrize(
    ("changes", "window", "words"),
    [
        ({"bucket": "nowhere"}, HOUR, "no bucket nowhere"),
        ({"balancer": "app/other/1"}, HOUR, r"no file of app/other/1 of .*; the first one there is 111122223333_"),
        ({"region": "eu-west-1"}, HOUR, "there are logs of the regions us-east-1"),
        ({"prefix": "elsewhere"}, HOUR, "there is no log at all"),
        ({}, Window(START + timedelta(days=2), START + timedelta(days=3)), "and now is 2026-03-02T12:00Z"),
        ({}, Window(START + timedelta(minutes=175), START + timedelta(minutes=200)), "no file of .* yet, at"),
        ({}, Window(START - timedelta(days=300), START - timedelta(days=299)), "the first one there is"),
    ],
)
def test_why_there_is_no_log_is_said(
    stage: Stage, tmp_path: Path, changes: dict[str, str], window: Window, words: str
) -> None:
    """Wrong bucket, balancer, region or prefix, a window in the future, too early, or long ago."""
    stage.upload(make(replace(MESSY, lines=10), tmp_path), tmp_path)
    with pytest.raises(NoAccessLog, match=words):
        replace(stage.logs, **changes).files(window)


class Denied:
    """S3 as somebody sees it who may not read."""

    def __init__(self, client: Any, code: str, *operations: str) -> None:
        self.client, self.code, self.operations = client, code, operations

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return lambda operation: self
        if name in (*self.operations, "paginate") and (name != "paginate" or "list_objects_v2" in self.operations):
            return self.refuse
        return getattr(self.client if name != "paginate" else self.client.get_paginator("list_objects_v2"), name)

    def refuse(self, **asked: Any) -> Any:
        headers = {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}}
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}, "ResponseMetadata": headers}, "X")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("code", "operation", "words"),
    [
        (
            "AccessDenied",
            "list_objects_v2",
            r"AccessDenied from s3://orders-access; wanted: s3:ListBucket on .* for me",
        ),
        ("PermanentRedirect", "list_objects_v2", "s3://orders-access lies in eu-west-1; wanted: a bucket in us-east-1"),
        ("AccessDenied", "get_object", "AccessDenied for s3://orders-access/AWSLogs/.*kms:Decrypt"),
        ("NoSuchKey", "get_object", "NoSuchKey for s3://orders-access/AWSLogs/"),
    ],
)
def test_what_s3_refuses_is_said(stage: Stage, tmp_path: Path, code: str, operation: str, words: str) -> None:
    """Which permission is wanted, or in which region the bucket lies."""
    stage.upload(make(replace(MESSY, lines=10), tmp_path), tmp_path)
    stage.account.clients["s3"] = Denied(stage.account.client("s3"), code, operation)
    with pytest.raises(NoAccessLog, match=words):
        read_access_logs(stage.logs, HOUR)


# ---- what a load balancer writes


def told_by(stage: ecs_stage.Stage) -> Account:
    sandbox = Sandbox(stage.world)
    own = stage.world.settings
    return Account("sandbox", own.account, own.region, "aws", "me", sandbox.clock, False, "test", sandbox.client)


def test_the_log_of_a_balancer_is_found_and_agrees_with_its_traffic() -> None:
    """By its attributes; as many requests of blue as CloudWatch counted."""
    stage = logs_stage.logging()
    stage.serve()
    stage.wait(900)
    account, now = told_by(stage), stage.world.datetime()
    logs = read_access_logs(logs_of(account, stage.balancer), Window(now - timedelta(minutes=12), now))
    lines = [line for line in logs_stage.lines(stage) if line.minute >= logs.coverage.window.first]
    assert (logs.requests, logs.coverage.rejected, logs.coverage.troubled) == (len(lines), {}, ())
    assert logs.only([stage.blue]).requests == sum(line.group == stage.blue for line in lines) > 0


def test_a_balancer_that_writes_no_log_is_said() -> None:
    """With what would have to be on."""
    stage = ecs_stage.fresh(whole=True)
    with pytest.raises(NoAccessLog, match=r"app/orders/\w+ writes no access log.*turn it on"):
        logs_of(told_by(stage), stage.balancer)


def test_a_balancer_in_another_region_is_said(stage: Stage) -> None:
    """Before any call."""
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/app/orders/1"
    with pytest.raises(NoAccessLog, match="app/orders/1 in eu-west-1"):
        logs_of(stage.account, arn)
