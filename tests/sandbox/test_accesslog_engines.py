"""Three engines, one answer: DuckDB here, Dask on workers, Athena where the logs lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import ecs_stage
import logs_stage
import numpy as np
import pytest

from runbook_lib.accesslog import (
    BucketLogs,
    Damage,
    DuckDB,
    Histogram,
    LocalLogs,
    NoAccessLog,
    Window,
    logs_of,
    read_access_logs,
    read_damage,
)
from runbook_lib.accesslog.athena import Athena, AthenaTable, Estimate, estimate, plan_drop, plan_table
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, Refused, RunbookError
from runbook_lib.inventory import read_inventory
from runbook_lib.journal import Journal
from runbook_lib.removal import REMOVALS, Removal
from runbook_lib.sandbox import Sandbox, Settings
from runbook_lib.sections import Prices
from runbook_lib.step import Plan, apply
from runbook_lib.story.teardown import ORDER
from tests.logs_made import ACCOUNT, ELB, REGION, START, Recipe, Truth, key, make

HOUR = Window(START, START + timedelta(hours=1))
MESSY = Recipe(seed=0, lines=1500, minutes=15, clients=200, bad=0.01, old=0.1, more=0.1)
BUCKET, WORLD = "orders-access", "orders"
TABLE = AthenaTable("orders-logs", "orders_logs", f"s3://{BUCKET}/queries/", 1_000_000_000)
PRICES = Prices(as_of="2026-02-01", athena_terabyte=6.5)
COLUMNS = ("minute", "group", "status", "answered", "ms", "n")


@dataclass
class Stage:
    """An account whose bucket holds a log; it is noon, the log is of the morning."""

    sandbox: Sandbox
    account: Account
    journal: Journal

    @property
    def logs(self) -> BucketLogs:
        return BucketLogs(self.account, BUCKET, balancer=ELB)

    def upload(self, truth: Truth, folder: Path) -> None:
        for path in truth.files:
            self.put(str(path.relative_to(folder)), path.read_bytes())

    def put(self, key: str, content: bytes) -> None:
        self.account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

    def athena(self, agreed: Estimate | None = None) -> Athena:
        apply(plan_table(self.account, self.logs, TABLE, world=WORLD), account=self.account, journal=self.journal)
        agreed = agreed or estimate(self.logs, HOUR, PRICES)
        return Athena(self.account, self.journal, TABLE, agreed)


@pytest.fixture
def stage() -> Iterator[Stage]:
    sandbox = Sandbox.new(Settings(account=ACCOUNT, region=REGION))
    account = Account("sandbox", ACCOUNT, REGION, "aws", "me", sandbox.clock, False, "test", sandbox.client)
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.clock.sleep(3 * 3600)
    yield Stage(sandbox, account, Journal(account.clock))
    sandbox.close()


def same(one: Histogram, other: Histogram) -> bool:
    """Whether two answers are equal in every number, and in what was rejected and shown."""
    equal = one.groups == other.groups and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS
    )
    return equal and told(one.coverage) == told(other.coverage)


def told(coverage: Any) -> tuple[Any, ...]:
    shown = {(reject.reason, reject.sample) for reject in coverage.rejects}
    return coverage.files, coverage.lines, coverage.counted, coverage.rejected, shown, coverage.gaps


def same_damage(one: Damage, other: Damage) -> bool:
    return all(one.by(name) == other.by(name) for name in ("path", "client", "status", "target", "node", "user_agent"))


# ---- one answer


@pytest.mark.parametrize("seed", range(20))
def test_athena_and_duckdb_give_the_same(stage: Stage, tmp_path: Path, seed: int) -> None:
    """Over the same files: every count, percentile, reason and sample, and the requests that were drawn."""
    truth = make(replace(MESSY, seed=seed, packed=seed % 2 == 0, minutes=10), tmp_path)
    stage.upload(truth, tmp_path)
    here = read_access_logs(LocalLogs(tmp_path), HOUR, engine=DuckDB(threads=1))
    there = read_access_logs(stage.logs, HOUR, engine=stage.athena())
    assert same(here, there)
    assert there.requests == truth.histogram.total()
    assert there.percentile(99) == here.percentile(99)


def test_damage_is_the_same_too(stage: Stage, tmp_path: Path) -> None:
    """By every dimension, in S3 and here."""
    stage.upload(make(replace(MESSY, seed=42), tmp_path), tmp_path)
    here = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60)
    assert same_damage(here, read_damage(stage.logs, HOUR, slow_ms=60, engine=stage.athena()))
    assert same_damage(here, read_damage(stage.logs, HOUR, slow_ms=60))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers in processes of their own."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    before = dict(os.environ)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", memory_limit=0
    ) as cluster:
        yield cluster.scheduler_address
    # distributed leaves what it told its workers, PYTHONHASHSEED among it, in this process.
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("seed", range(20))
def test_dask_and_duckdb_give_the_same(tmp_path: Path, scheduler: str, seed: int) -> None:
    """On two workers."""
    from runbook_lib.accesslog.dask import Dask

    make(replace(MESSY, seed=seed), tmp_path)
    here = read_access_logs(LocalLogs(tmp_path), HOUR, engine=DuckDB(threads=1))
    assert same(here, read_access_logs(LocalLogs(tmp_path), HOUR, engine=Dask(scheduler)))
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60, engine=Dask(scheduler))
    assert same_damage(hurt, read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60))


def test_dask_takes_what_duckdb_counted(tmp_path: Path, scheduler: str) -> None:
    """The cache is one for all engines that read files."""
    from runbook_lib.accesslog.dask import Dask

    make(MESSY, tmp_path / "log")
    source, cache, seen = LocalLogs(tmp_path / "log"), tmp_path / "cache", list[Any]()
    here = read_access_logs(source, HOUR, cache=cache)
    assert same(here, read_access_logs(source, HOUR, cache=cache, engine=Dask(scheduler), tell=seen.append))
    assert seen[-1].fresh == 0


def test_no_scheduler_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its address."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    from runbook_lib.accesslog import dask

    monkeypatch.setattr(dask, "CONNECT", 0.2)
    make(MESSY, tmp_path)
    with pytest.raises(BadInput, match=r"no scheduler at tcp://127.0.0.1:9"):
        read_access_logs(LocalLogs(tmp_path), HOUR, engine=dask.Dask("tcp://127.0.0.1:9"))


# ---- a bucket


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
        from botocore.exceptions import ClientError

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


# ---- Athena: plan, price, cap


def test_a_plan_is_applied_twice_and_taken_back(stage: Stage, tmp_path: Path) -> None:
    """The second time there is nothing to do; afterwards nothing is left but the logs."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    plan = plan_table(stage.account, stage.logs, TABLE, world=WORLD)
    assert [step.id for step in plan.needed] == []
    assert {item.kind for item in read_inventory(stage.account, WORLD)} == {"athena:database", "athena:work-group"}
    drop = plan_drop(stage.account, TABLE, world=WORLD)
    apply(drop, account=stage.account, journal=stage.journal)
    assert read_inventory(stage.account, WORLD) == ()
    assert plan_drop(stage.account, TABLE, world=WORLD).steps == ()
    assert read_access_logs(stage.logs, HOUR).requests > 0


def test_tear_down_knows_how_to_remove_them(stage: Stage, tmp_path: Path) -> None:
    """The database first, then the work group; what is gone needs no step."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    items = sorted(read_inventory(stage.account, WORLD), key=lambda item: ORDER.index(item.kind))
    system: Any = None  # these kinds ask nothing of it
    for item in items:
        steps = REMOVALS[item.kind](Removal(stage.account, system, item))
        assert steps[-1].gone == item
        apply(Plan("Remove", WORLD, tuple(steps)), account=stage.account, journal=stage.journal)
        assert not any(step.needed for step in REMOVALS[item.kind](Removal(stage.account, system, item)))
    assert read_inventory(stage.account, WORLD) == ()
    assert plan_drop(stage.account, TABLE, world=WORLD).steps == ()


def test_another_cutoff_or_log_changes_what_is_there(stage: Stage, tmp_path: Path) -> None:
    """The work group's cut-off, and the table."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    other = replace(stage.logs, prefix="other")
    plan = plan_table(stage.account, other, replace(TABLE, most_bytes=20_000_000), world=WORLD)
    assert [step.id for step in plan.needed] == ["athena.cutoff", "athena.table.drop", "athena.table"]
    apply(plan, account=stage.account, journal=stage.journal)
    assert plan_table(stage.account, other, replace(TABLE, most_bytes=20_000_000), world=WORLD).needed == ()


def test_a_work_group_of_somebody_else_is_not_touched(stage: Stage) -> None:
    """What the runbooks did not make is refused."""
    stage.account.client("athena").create_work_group(Name=TABLE.work_group)
    with pytest.raises(Refused, match="orders-logs exists and is not in the inventory"):
        plan_table(stage.account, stage.logs, TABLE, world=WORLD)


def test_the_estimate_is_the_bytes_of_the_partitions(stage: Stage, tmp_path: Path) -> None:
    """Of every load balancer in the folders of the days; and what Athena then reads is just that."""
    truth = make(replace(MESSY, seed=3), tmp_path)
    stage.upload(truth, tmp_path)
    stage.put(key(START, "198.51.100.20", "x", balancer="app/other/1", packed=False), b"y" * 1000)
    expected = estimate(stage.logs, HOUR, PRICES)
    size = sum(path.stat().st_size for path in truth.files) + 1000
    assert (expected.files, expected.bytes, expected.usd) == (len(truth.files) + 1, size, 10_000_000 / 1e12 * 6.5)
    assert "0.00007 USD a query by the prices of 2026-02-01" in str(expected)
    read_access_logs(stage.logs, HOUR, engine=stage.athena(expected))
    queries = stage.account.client("athena").list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]
    scanned = [scan(stage, id) for id in queries]
    assert {size, 0} == set(scanned)


def scan(stage: Stage, id: str) -> int:
    told = stage.account.client("athena").get_query_execution(QueryExecutionId=id)["QueryExecution"]
    return int(told["Statistics"]["DataScannedInBytes"])


def test_more_than_was_agreed_to_is_not_asked(stage: Stage, tmp_path: Path) -> None:
    """No query is started."""
    stage.upload(make(replace(MESSY, lines=100), tmp_path), tmp_path)
    engine = stage.athena(Estimate(1, 100, 0.0, "-"))
    before = len(stage.journal.entries)
    with pytest.raises(BadInput, match="at most 100, as agreed"):
        read_access_logs(stage.logs, HOUR, engine=engine)
    assert len(stage.journal.entries) == before


def test_the_work_group_cancels_what_grows_meanwhile(stage: Stage, tmp_path: Path) -> None:
    """The cap holds also where the estimate was wrong."""
    stage.upload(make(replace(MESSY, lines=100), tmp_path), tmp_path)
    engine = stage.athena()
    stage.account.client("athena").update_work_group(
        WorkGroup=TABLE.work_group, ConfigurationUpdates={"BytesScannedCutoffPerQuery": 10_000_000}
    )
    stage.put(key(START, "198.51.100.20", "y", packed=False), b"z" * 10_000_001)
    wide = replace(engine, agreed=Estimate(1, 1 << 30, 0.1, "-"))
    with pytest.raises(BadInput, match="within the cut-off of its work group"):
        read_access_logs(stage.logs, HOUR, engine=wide)


def test_the_same_question_is_not_paid_for_twice(stage: Stage, tmp_path: Path) -> None:
    """Its answer is remembered by its token; another file makes another question."""
    stage.upload(make(replace(MESSY, lines=100, bad=0), tmp_path), tmp_path)
    engine, athena = stage.athena(), stage.account.client("athena")
    first = read_access_logs(stage.logs, HOUR, engine=engine)
    count = len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"])
    assert same(first, read_access_logs(stage.logs, HOUR, engine=engine))
    assert len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]) == count
    stage.put(key(START + timedelta(minutes=10), "198.51.100.99", "y", packed=False), b"")
    read_access_logs(stage.logs, HOUR, engine=replace(engine, agreed=estimate(stage.logs, HOUR, PRICES)))
    assert len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]) == count + 1


def test_a_damaged_file_ends_a_query_and_is_mended(stage: Stage, tmp_path: Path) -> None:
    """Athena does not read half a file; what was asked again after the mending is not the old failure."""
    truth = make(replace(MESSY, lines=200, bad=0), tmp_path)
    stage.upload(truth, tmp_path)
    engine, name = stage.athena(), str(truth.files[0].relative_to(tmp_path))
    content = truth.files[0].read_bytes()
    stage.put(name, content[:-20])
    with pytest.raises(RunbookError, match=r"FAILED: HIVE_CURSOR_ERROR.*next: a damaged file is read by the engine"):
        read_access_logs(stage.logs, HOUR, engine=engine)
    assert read_access_logs(stage.logs, HOUR).coverage.troubled[0][1].startswith("half-written")
    stage.put(name, content)
    stage.account.clock.sleep(60)
    assert read_access_logs(stage.logs, HOUR, engine=engine).requests == truth.histogram.total()


def test_athena_reads_no_folder(stage: Stage, tmp_path: Path) -> None:
    """And its names are checked."""
    make(replace(MESSY, lines=100), tmp_path)
    with pytest.raises(BadInput, match="Athena reads nothing else"):
        read_access_logs(
            LocalLogs(tmp_path), HOUR, engine=Athena(stage.account, stage.journal, TABLE, Estimate(0, 0, 0, "-"))
        )
    for wrong in ({"most_bytes": 5}, {"results": "/tmp"}, {"database": "a-b"}):
        with pytest.raises(BadInput, match="Athena: seen"):
            replace(TABLE, **wrong)


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
