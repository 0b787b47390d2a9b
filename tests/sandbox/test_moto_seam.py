"""The contract with the pinned moto: what the seam relies on, and what moto must do through it."""

from __future__ import annotations

import datetime
import importlib
import os
import random
import subprocess
import sys
import time
import tomllib
import uuid
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest

from runbook_lib.sandbox import Sandbox, Settings, moto_names

ROOT = Path(__file__).parents[2]
PINNED = next(
    line.removeprefix("moto==")
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    if line.startswith("moto==")
)
TRUST = '{"Version": "2012-10-17", "Statement": []}'
REAL_NAMES = {id(datetime), id(datetime.datetime), id(datetime.date), id(time), id(time.time), id(random), id(os)}


def test_moto_is_the_pinned_version() -> None:
    """The seam knows the inside of one version; another one needs this file to be read again."""
    assert moto.__version__ == PINNED, f"moto {moto.__version__} is installed, the seam was written for {PINNED}"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("moto.backend_index", ["backend_url_patterns"]),
        ("moto.backends", ["get_backend"]),
        ("moto.core.base_backend", ["BackendDict._instances", "BackendDict.iter_backends", "BaseBackend.urls"]),
        ("moto.core.botocore_stubber", ["MockRawResponse"]),
        ("moto.core.common_models", ["BaseModel.__new__"]),
        ("moto.core.errors", ["COMMON_ERROR_CODES"]),
        ("moto.core.exceptions", ["HTTPException", "ServiceException"]),
        ("moto.core.parse", ["PROTOCOL_PARSERS"]),
        ("moto.core.request", ["Request.from_primitives", "Request.raw_url", "determine_request_protocol"]),
        ("moto.core.routing", ["get_service_router"]),
        ("moto.core.serialize", ["get_serializer_class", "ResponseSerializer.get_value", "TimestampSerializer"]),
        ("moto.moto_api._internal", ["mock_random.seed", "mock_random.getstate"]),
        (
            "moto.logs.models",
            ["LogsBackend.create_log_stream", "LogsBackend.put_log_events", "LogGroup.filter_log_events"],
        ),
        ("moto.s3.models", ["FakeKey.dispose", "FakeKey.etag", "FakeKey.size", "FakeKey.value", "get_canned_acl"]),
    ],
)
def test_moto_has_what_the_seam_touches(module: str, names: list[str]) -> None:
    """A name that moved is told by its name."""
    loaded = __import__(module, fromlist=["x"])
    for name in names:
        found: Any = loaded
        for part in name.split("."):
            assert hasattr(found, part), f"moto {moto.__version__}: {module} has no {name}; the seam needs it"
            found = getattr(found, part)


def test_no_module_of_moto_holds_the_wall_clock(fresh: Sandbox) -> None:
    """The names are replaced in every module that is loaded, also in those that came later."""
    fresh.client("s3").list_buckets()
    for service in ("iam", "ec2", "logs", "ssm", "kms", "dynamodb"):
        importlib.import_module(f"moto.{service}.models")
    left = {
        f"{name}.{variable}"
        for name, module in list(sys.modules.items())
        if name.startswith("moto.")
        for variable, value in vars(module).items()
        if id(value) in REAL_NAMES
    }
    assert left == set()
    assert len([name for name in sys.modules if name.startswith("moto.")]) > 100


def test_the_rest_of_the_process_keeps_its_clock(fresh: Sandbox) -> None:
    """Nothing outside moto is touched."""
    fresh.client("s3").list_buckets()
    assert abs(datetime.datetime.now(datetime.UTC).timestamp() - time.time()) < 5
    assert boto3.Session.__module__ == "boto3.session"
    assert isinstance(uuid.uuid4(), uuid.UUID)


def test_log_events_of_the_worlds_time_are_kept(fresh: Sandbox) -> None:
    """moto drops events older than 14 days: by the wall, all of ours would be."""
    logs = fresh.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(fresh.clock.now().timestamp() * 1000)
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "hello"}])
    assert [e["message"] for e in logs.get_log_events(logGroupName="g", logStreamName="s")["events"]] == ["hello"]
    kept = logs.filter_log_events(logGroupName="g", startTime=now, endTime=now + 1)["events"]
    assert [(e["message"], e["timestamp"]) for e in kept] == [("hello", now)]


def test_managed_policies_can_be_attached(fresh: Sandbox) -> None:
    """AWS's own policies are there."""
    iam = fresh.client("iam")
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=TRUST)
    arn = "arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS"
    iam.attach_role_policy(RoleName="deploy", PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName="deploy")["AttachedPolicies"][0]["PolicyArn"] == arn


def _vpc_and_role(sandbox: Sandbox) -> tuple[str, str]:
    vpc = sandbox.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    role = sandbox.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["RoleId"]
    return vpc, role


def test_what_moto_draws_is_the_same_in_every_world_of_a_seed() -> None:
    """A second world in the process, and other calls in between, change nothing; another seed does."""
    drawn = []
    for seed, looks in [(1, 0), (1, 3), (2, 0)]:
        sandbox = Sandbox.new(Settings(seed=seed))
        for _ in range(looks):
            sandbox.client("s3").list_buckets()
        drawn.append(_vpc_and_role(sandbox))
        sandbox.close()
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_two_worlds_at_once_do_not_see_each_other() -> None:
    """moto's state is swapped with the world that is asked."""
    one, two = Sandbox.new(Settings()), Sandbox.new(Settings())
    try:
        one.client("sns").create_topic(Name="mine")
        two.clock.sleep(60)
        assert two.client("sns").list_topics()["Topics"] == []
        assert len(one.client("sns").list_topics()["Topics"]) == 1
    finally:
        one.close()
        two.close()


def test_a_closed_world_gives_moto_back(fresh: Sandbox) -> None:
    """moto's own mock in the same process finds the wall's time and an empty account."""
    fresh.client("s3").create_bucket(Bucket="ours")
    fresh.close()
    with moto.mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="theirs")
        assert abs(s3.list_buckets()["Buckets"][0]["CreationDate"].timestamp() - time.time()) < 60


TELL = """
from runbook_lib.sandbox import Sandbox, Settings
import json
s = Sandbox.new(Settings())
c = s.client
out = [c("ec2").create_vpc(CidrBlock="10.0.0.0/16"), c("secretsmanager").create_secret(Name="s", SecretString="x")]
c("s3").create_bucket(Bucket="bucket")
out += [c("s3").create_multipart_upload(Bucket="bucket", Key="k"), c("sns").create_topic(Name="t")]
out += [c("kms").create_key(), c("ec2").describe_subnets(), c("cloudtrail").list_trails()]
print(json.dumps(out, default=lambda value: value.timestamp(), sort_keys=True))
"""


def test_answers_are_the_same_in_another_process_zone_and_hash_seed() -> None:
    """Exact outputs do not depend on the machine."""
    told = {
        subprocess.run(
            [sys.executable, "-c", TELL],
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone, seed in [("UTC", "1"), ("Asia/Tokyo", "2")]
    }
    assert len(told) == 1


def test_moments_mean_utc_in_any_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where moto drops the zone of a time, the machine's does not take its place."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        moto_names.give(lambda: 1000.0)
        assert moto_names.WorldDatetime.now().timestamp() == 1000
        assert moto_names.WorldDatetime.utcnow().isoformat() == "1970-01-01T00:16:40"
        assert isinstance(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), moto_names.WorldDatetime)
    finally:
        moto_names.take_back()
        monkeypatch.undo()
        time.tzset()
