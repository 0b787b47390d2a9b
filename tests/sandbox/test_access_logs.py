"""The access log of a load balancer: who may write it, what stands in it, and when it comes."""

from __future__ import annotations

import gzip
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import ecs_stage
import numpy
import pytest
from ecs_stage import Stage, refusal
from logs_stage import (
    BUCKET,
    PREFIX,
    allow,
    attributes,
    cases,
    content,
    files,
    lines,
    logging,
    outcomes,
    record,
    split,
    switch,
)

from runbook_lib.sandbox import moto_state, traffic
from runbook_lib.sandbox.traffic import accesslog, logfile, synthesis
from runbook_lib.sandbox.traffic.accesslog import Front, Minute, Origin
from runbook_lib.sandbox.traffic.logfile import Modelled
from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import Outcome, Tally

KEY = re.compile(
    r"alb/AWSLogs/123456789012/elasticloadbalancing/us-east-1/2026/03/02/"
    r"123456789012_elasticloadbalancing_us-east-1_app\.orders\.[0-9a-f]{16}_20260302T\d{4}Z_203\.0\.113\.\d+_"
    r"[a-z0-9]{8}\.log\.gz"
)
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders-a/0123456789abcdef"
TEST_FILE = f"{PREFIX}/AWSLogs/123456789012/ELBAccessLogTestFile"
CERTIFICATES = {"L": "arn:aws:acm:us-east-1:111122223333:certificate/1"}
ORIGIN = Origin("app/orders-alb/50dc6c495c0c9188", "us-east-1a", "198.51.100.20", CERTIFICATES)


@pytest.fixture
def stage() -> Stage:
    return logging()


# ---- a line


@pytest.mark.parametrize("one", cases("lines").values(), ids=list(cases("lines")))
def test_a_request_is_a_line_of_34_fields(one: dict[str, Any]) -> None:
    """Each case: a request, what its rule did, and the line; the id of the connection is drawn from its client."""
    line = accesslog.line(Record(**one["record"]), one["action"], ORIGIN)
    assert re.sub(r"TID_[0-9a-f]{32}", "TID", line) == one["line"]
    assert len(split(line).fields) == 34


def test_a_long_user_agent_is_cut() -> None:
    """After 8 KB (load-balancer-access-logs)."""
    told = cases("lines")["https"]["record"] | {"user_agent": "x" * 9000}
    assert len(split(accesslog.line(Record(**told), "forward", ORIGIN)).fields[13]) == 8192


def test_lines_of_a_modelled_minute_give_its_tally_back() -> None:
    """Counted by group, target, status and milliseconds, all in their minute and in the order of their ends."""
    numbers = numpy.random.default_rng(7)
    tally = {
        Outcome("blue", "10.0.0.5:8080", 200, 200, "us-east-1a"): numbers.integers(0, 3, 90),
        Outcome("green", "10.0.0.6:8080", 500, 500, "us-east-1a"): numbers.integers(0, 2, 40),
        Outcome("green", "10.0.0.7:8080", 502, 0, "us-east-1a"): numpy.array([5]),
        Outcome("green", "-", 503, 0, "us-east-1a"): numpy.array([2]),
        Outcome("green", "10.0.0.6:8080", 200, 200, "us-east-1b"): numpy.array([0, 9]),
    }
    minute = Minute(1772442000, Front("L", "http", "orders.example.test", 80), tally)
    made = [split(line) for line in synthesis.lines(minute, ORIGIN, seed=1)]
    own = {outcome: counts for outcome, counts in tally.items() if outcome.node == "us-east-1a"}
    assert Counter(line.outcome for line in made) == outcomes(own)
    assert {line.minute for line in made} == {"2026-03-02T09:00"}
    assert [line.fields[1] for line in made] == sorted(line.fields[1] for line in made)


def test_requests_of_one_path_are_written_with_it() -> None:
    """The others keep the paths that users ask for."""
    tally = {
        Outcome("green", "10.0.0.6:8080", 500, 500, "us-east-1a", path="/"): numpy.array([0, 30]),
        Outcome("green", "10.0.0.6:8080", 200, 200, "us-east-1a"): numpy.array([0, 100]),
    }
    minute = Minute(1772442000, Front("L", "http", "orders.example.test", 80), tally)
    asked = Counter(
        (line.fields[8], line.fields[12].split(" ")[1].partition(":80")[2])
        for line in (split(line) for line in synthesis.lines(minute, ORIGIN, seed=1))
    )
    assert asked["500", "/"] == 30
    assert {path for status, path in asked if status == "200"} == set(synthesis.PATHS)


# ---- who may write


@pytest.mark.parametrize("one", cases("policies").values(), ids=list(cases("policies")))
def test_the_bucket_must_let_the_load_balancer_in(one: dict[str, Any]) -> None:
    """Each case: a policy of the bucket, and whether the log can be written."""
    stage = ecs_stage.fresh(whole=True)
    stage.world.client("s3").create_bucket(Bucket=BUCKET)
    allow(stage, one["policy"])
    if one["lets_in"]:
        switch(stage)
    else:
        asked = {"LoadBalancerArn": stage.balancer, "Attributes": attributes()}
        assert refusal(stage.elb.modify_load_balancer_attributes, **asked) == (
            "InvalidConfigurationRequest",
            f"Access Denied for bucket: {BUCKET}. Please check S3bucket permission",
        )


def test_a_bucket_without_a_policy_keeps_the_log_out() -> None:
    """Nothing is allowed by default; the attributes stay as they were."""
    stage = ecs_stage.fresh(whole=True)
    stage.world.client("s3").create_bucket(Bucket=BUCKET)
    asked = {"LoadBalancerArn": stage.balancer, "Attributes": attributes()}
    assert "Access Denied" in refusal(stage.elb.modify_load_balancer_attributes, **asked)[1]
    shown = stage.elb.describe_load_balancer_attributes(LoadBalancerArn=stage.balancer)["Attributes"]
    assert {"Key": "access_logs.s3.enabled", "Value": "false"} in shown


def test_a_prefix_cannot_hold_the_folder_of_aws(stage: Stage) -> None:
    """AWSLogs is appended to it."""
    prefix = [{"Key": "access_logs.s3.prefix", "Value": "x/AWSLogs"}]
    asked = {"LoadBalancerArn": stage.balancer, "Attributes": prefix}
    code, message = refusal(stage.elb.modify_load_balancer_attributes, **asked)
    assert (code, "cannot contain 'AWSLogs'" in message) == ("ValidationError", True)


def test_a_first_file_shows_that_the_log_can_be_written(stage: Stage) -> None:
    """ELBAccessLogTestFile, at once."""
    text = content(stage, TEST_FILE).decode()
    assert text == "Enable AccessLog for ELB: orders at 2026-03-02T09:05:00.000Z\n"


def test_a_log_can_be_switched_off_and_on_again(stage: Stage) -> None:
    """The first file is written over: so is the log of a load balancer that is made anew."""
    switch(stage, "false")
    stage.wait(60)
    switch(stage)
    assert content(stage, TEST_FILE) == b"Enable AccessLog for ELB: orders at 2026-03-02T09:06:00.000Z\n"


# ---- files


def test_every_node_writes_a_file_every_five_minutes(stage: Stage) -> None:
    """Its name tells the end of the interval, the node's address and letters of chance."""
    stage.serve()
    stage.wait(900)
    found = files(stage)
    assert len(found) == 6
    assert all(KEY.fullmatch(key) for key in found)
    assert {key.split("_")[4] for key in found} == {"20260302T0910Z", "20260302T0915Z", "20260302T0920Z"}


def test_the_lines_of_the_log_are_the_requests_of_the_metrics(stage: Stage) -> None:
    """By minute and group: as many lines as CloudWatch counted, and as many errors."""
    stage.serve()
    stage.wait(600)
    counted: Counter[str] = Counter(line.minute for line in lines(stage) if line.group == stage.blue)
    asked = {
        "Namespace": "AWS/ApplicationELB",
        "Dimensions": [
            {"Name": "LoadBalancer", "Value": stage.balancer.partition("loadbalancer/")[2]},
            {"Name": "TargetGroup", "Value": stage.blue.rpartition(":")[2]},
        ],
        "StartTime": stage.world.datetime(stage.world.now - 600),
        "EndTime": stage.world.datetime(),
        "Period": 60,
        "Statistics": ["Sum"],
    }
    points = stage.world.client("cloudwatch").get_metric_statistics(MetricName="RequestCount", **asked)["Datapoints"]
    requests = {f"{one['Timestamp']:%Y-%m-%dT%H:%M}": one["Sum"] for one in points}
    unserved = Counter(line.minute for line in lines(stage) if line.fields[4] == "-")
    assert requests
    assert {minute: counted[minute] - unserved[minute] for minute in requests} == requests


def test_a_file_comes_some_minutes_late_and_at_its_own_time() -> None:
    """Whoever looks first, it was there from its delivery on: LastModified says so."""
    stage = logging(realism=True)
    stage.serve()
    stage.wait(359)
    assert files(stage) == {}
    stage.wait(600)
    late = [came.timestamp() - stage.world.settings.start - 600 for key, came in files(stage).items() if "0910Z" in key]
    assert all(60 <= seconds < 240 for seconds in late)


def test_a_file_is_the_same_whenever_somebody_looks() -> None:
    """Looking early or late, or in a world that was saved meanwhile, changes no byte."""
    early = logging()
    early.serve()
    early.wait(330)
    first = {key: content(early, key) for key in files(early)}
    late = logging()
    late.serve()
    late.wait(100)
    late.world = moto_state.load(moto_state.dump(late.world))
    late.wait(800)
    assert first
    assert {key: content(late, key) for key in first} == first


def test_a_file_is_listed_as_what_it_is_when_read(stage: Stage) -> None:
    """Size and ETag are known before its lines are made; in parts and as a copy it is the same."""
    stage.serve()
    stage.wait(330)
    s3 = stage.world.client("s3")
    listed = [one for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"] if one["Key"].endswith(".log.gz")]
    assert listed
    for one in listed:
        whole = s3.get_object(Bucket=BUCKET, Key=one["Key"])
        body = whole["Body"].read()
        assert (len(body), whole["ContentLength"], whole["ETag"]) == (one["Size"], one["Size"], one["ETag"])
        assert s3.get_object(Bucket=BUCKET, Key=one["Key"], Range="bytes=100-199")["Body"].read() == body[100:200]
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": one["Key"]})
    assert content(stage, "copy") == body


def test_a_small_file_is_made_once_for_all_who_read_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look back asks several questions of the same files."""
    stage.serve()
    stage.wait(900)
    one, two = sorted(files(stage))[:2]
    logfile._again.cache_clear()
    made: list[float] = []
    pack = logfile.compressed
    monkeypatch.setattr(logfile, "compressed", lambda lines, **more: made.append(more["at"]) or pack(lines, **more))
    first = [content(stage, key) for key in (one, two)]
    assert [content(stage, key) for key in (one, two)] == first
    assert len(made) == 2


def test_looking_at_a_log_makes_no_line_of_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the hour was: only who reads a file waits for it."""
    made: list[str] = []
    for way in ("_once", "_again"):
        monkeypatch.setattr(logfile, way, lambda file: made.append(file.etag) or bytes(file.size))
    stage.serve()
    stage.wait(900)
    found = sorted(files(stage))
    stage.world.client("s3").head_object(Bucket=BUCKET, Key=found[0])
    moto_state.dump(stage.world)
    assert made == []
    content(stage, found[3])
    assert made == [stage.world.client("s3").head_object(Bucket=BUCKET, Key=found[3])["ETag"].strip('"')]


@pytest.mark.parametrize(("many", "size"), [(1, 0), (1, 1304), *((40, 5360 + more) for more in range(5))])
def test_a_file_is_filled_up_with_blocks_that_hold_nothing(many: int, size: int) -> None:
    """To the byte; gzip, zlib and duckdb read the same lines from it."""
    lines = [f"line {number} {number * 7919:x}" for number in range(many)]
    file = logfile.compressed(lines, at=1.0, size=size)
    assert len(file) == size or size == 0
    assert gzip.decompress(file).decode().splitlines() == lines
    assert duckdb_reads(file) == lines


def duckdb_reads(file: bytes) -> list[str]:
    """The lines by a reader with its own idea of gzip's header."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.log.gz"
        path.write_bytes(file)
        found = duckdb.sql(
            f"select column0 from read_csv('{path}', header=false, delim='\t', columns={{'column0': 'VARCHAR'}})"
        )
        return [line for (line,) in found.fetchall()]


@pytest.mark.parametrize("rate", [0.02, 0.3, 5, 80])
@pytest.mark.parametrize("kind", ["http", "https"])
def test_the_size_of_a_file_is_never_too_small(rate: float, kind: str) -> None:
    """Of five minutes with errors and four targets, from a handful of requests to tens of thousands."""
    numbers = numpy.random.default_rng(int(rate * 100))
    front = Front("L", kind, "orders-alb-1234567890.us-east-1.elb.amazonaws.com", 443)
    minutes = [Minute(1_772_442_000 + 60 * minute, front, busy(numbers, rate)) for minute in range(5)]
    file = Modelled.of("key", minutes, ORIGIN, seed=1, delivered=0.0)
    assert file.lines > 0
    assert len(file.made()) == file.size
    assert len(gzip.decompress(file.made()).splitlines()) == file.lines


def busy(numbers: Any, rate: float) -> Tally:
    """The requests of a minute at a node."""
    found: Tally = {}
    for target in ("10.0.0.5:8080", "10.0.0.6:8080", "10.0.1.5:8080", "10.0.1.6:8080"):
        for status, share in ((200, 0.2), (500, 0.04), (404, 0.01)):
            many = numbers.poisson(rate * 60 * share) + (rate < 1)
            times = numpy.rint(numbers.lognormal(4, 0.5, many)).astype(int)
            found[Outcome(GROUP, target, status, status, ORIGIN.zone)] = numpy.bincount(times, minlength=1)
    return found


def test_looking_into_the_log_moves_no_id_of_others(stage: Stage) -> None:
    """What is written late draws its own chance: the version of another object is the same."""
    versions = []
    for looks in (True, False):
        other = logging()
        s3 = other.world.client("s3")
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        other.serve()
        other.wait(330)
        if looks:
            files(other)
        versions.append(s3.put_object(Bucket=BUCKET, Key="other", Body=b"x")["VersionId"])
    assert versions[0] == versions[1]


def test_a_log_that_ended_is_delivered_no_more(stage: Stage) -> None:
    """Neither what was collected nor what comes after."""
    stage.serve()
    stage.wait(200)
    switch(stage, "false")
    stage.wait(600)
    assert files(stage) == {}


def test_a_bucket_that_closes_loses_the_log_silently(stage: Stage) -> None:
    """Delivery is best effort: nobody is told."""
    stage.serve()
    stage.wait(330)
    stage.world.client("s3").delete_bucket_policy(Bucket=BUCKET)
    stage.wait(600)
    assert {key.split("_")[4] for key in files(stage)} == {"20260302T0910Z"}


def test_a_bucket_with_a_log_is_not_empty(stage: Stage) -> None:
    """Files that nobody has looked at keep it from being deleted, too."""
    stage.serve()
    stage.wait(330)
    s3 = stage.world.client("s3")
    s3.delete_object(Bucket=BUCKET, Key=TEST_FILE)
    assert refusal(s3.delete_bucket, Bucket=BUCKET)[0] == "BucketNotEmpty"


def test_without_a_log_nothing_is_kept_for_one() -> None:
    """An hour of traffic leaves no minute behind."""
    stage = ecs_stage.fresh()
    stage.serve()
    stage.wait(600)
    kept = stage.world.store("traffic")
    assert kept.intervals == {}


# ---- requests that were seen


def live() -> Stage:
    """A stage of a world with real traffic."""
    stage = logging()
    stage.world.settings = stage.world.settings.with_(traffic="live", clock="scaled")
    return stage


def test_requests_that_were_seen_stand_in_the_log() -> None:
    """Just as they were, in the file of their interval."""
    stage = live()
    now = stage.world.now
    seen = [record(stage, now + 20 + second, client=f"192.0.2.7:{50000 + second}") for second in range(3)]
    traffic.observe(stage.world, stage.balancer, seen)
    stage.wait(300)
    (key,) = files(stage)
    told = gzip.decompress(content(stage, key)).decode().splitlines()
    assert [split(line).fields[3] for line in told] == [one.client for one in seen]
    assert {split(line).outcome for line in told} == {(f"{stage.blue} 10.0.0.5:8080", "200", 200, 42)}


def test_late_requests_stand_in_the_file_that_is_open() -> None:
    """Their lines tell their own time."""
    stage = live()
    stage.wait(310)
    traffic.observe(stage.world, stage.balancer, [record(stage, stage.world.now - 100)])
    stage.wait(300)
    (key,) = files(stage)
    assert "20260302T0915Z" in key
    assert "2026-03-02T09:08:30" in gzip.decompress(content(stage, key)).decode()
