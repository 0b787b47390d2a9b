"""The stage of ECS with a bucket for the access log of its load balancer, and what a reader makes of a log."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ecs_stage
from ecs_stage import Stage

from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import Tally

CASES = Path(__file__).parents[1] / "cases" / "accesslog"
BUCKET, PREFIX = "orders-access", "alb"
FIELD = re.compile(r'"([^"]*)"|(\S+)')


def cases(topic: str) -> dict[str, Any]:
    """The cases of a topic, one a file."""
    files = sorted((CASES / topic).glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def allow(stage: Stage, policy: Any = None) -> None:
    """Gives the bucket a policy, that which lets the load balancer in unless another is told."""
    told = policy or cases("policies")["service"]["policy"]
    stage.world.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(told))


def attributes(enabled: str = "true") -> list[dict[str, str]]:
    told = {"enabled": enabled, "bucket": BUCKET, "prefix": PREFIX}
    return [{"Key": f"access_logs.s3.{name}", "Value": value} for name, value in told.items()]


def switch(stage: Stage, enabled: str = "true") -> None:
    stage.elb.modify_load_balancer_attributes(LoadBalancerArn=stage.balancer, Attributes=attributes(enabled))


def logging(**realism: bool) -> Stage:
    """A stage whose load balancer writes its log; the world is as it was built."""
    stage = ecs_stage.fresh(whole=True, **realism)
    stage.world.client("s3").create_bucket(Bucket=BUCKET)
    allow(stage)
    switch(stage)
    return stage


def files(stage: Stage) -> dict[str, datetime]:
    """The files of the log in the bucket, and when they came; the test file is not among them."""
    found = stage.world.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"]: one["LastModified"] for one in found if one["Key"].endswith(".log.gz")}


def content(stage: Stage, key: str) -> bytes:
    body: bytes = stage.world.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


@dataclass(frozen=True)
class Line:
    """A line of a log, as a reader sees it."""

    fields: tuple[str, ...]

    @property
    def minute(self) -> str:
        return self.fields[1][:16]

    @property
    def group(self) -> str:
        return self.fields[16]

    @property
    def outcome(self) -> tuple[str, str, int, int]:
        """Group, target, both status codes and the target's milliseconds, as a tally counts them."""
        own, target = (int(self.fields[at]) if self.fields[at] != "-" else 0 for at in (8, 9))
        took = round(float(self.fields[6]) * 1000) if target else 0
        return (f"{self.fields[16]} {self.fields[4]}", f"{own}", target, took)


def split(text: str) -> Line:
    """A line by its fields: what stands in quotes is one."""
    return Line(tuple(quoted or plain for quoted, plain in FIELD.findall(text)))


def lines(stage: Stage) -> Iterator[Line]:
    """Every line of every file."""
    for key in files(stage):
        for text in gzip.decompress(content(stage, key)).decode().splitlines():
            yield split(text)


def outcomes(tally: Tally) -> Counter[tuple[str, str, int, int]]:
    """How often a tally has each outcome and duration."""
    found: Counter[tuple[str, str, int, int]] = Counter()
    for outcome, counts in tally.items():
        for took in counts.nonzero()[0].tolist():
            name = (f"{outcome.group} {outcome.target}", f"{outcome.status}", outcome.target_status, took)
            found[name] += int(counts[took])
    return found


def record(stage: Stage, ended: float, **changes: Any) -> Record:
    """A request that blue's first target answered in 42 milliseconds."""
    told: dict[str, Any] = {
        "listener": stage.production,
        "rule_priority": 0,
        "group": stage.blue,
        "target": "10.0.0.5:8080",
        "client": "192.0.2.7:50000",
        "kind": "http",
        "method": "GET",
        "url": "http://orders.example.test:80/orders",
        "protocol": "HTTP/1.1",
        "user_agent": "curl/8.5.0",
        "began": ended - 0.043,
        "ended": ended,
        "request_processing": 0.001,
        "target_processing": 0.042,
        "response_processing": 0.0,
        "status": 200,
        "target_status": 200,
        "received_bytes": 100,
        "sent_bytes": 200,
        "trace": "Root=1-69a55c36-36d228ad5d99923122bbe354",
    }
    return Record(**told | changes)
