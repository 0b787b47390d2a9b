"""A mix of calls by boto3, on the sandbox or on moto; prints milliseconds a call.

python tests/benchmarks/calls.py embedded    on a sandbox in this process
python tests/benchmarks/calls.py mock        on moto's mock_aws
python tests/benchmarks/calls.py served      on a served sandbox that keeps a journal on the disk
python tests/benchmarks/calls.py server      on moto's ThreadedMotoServer
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from runbook_lib.sandbox import Sandbox, Settings

ROUNDS = 40  # of the whole mix; the first ones warm up and do not count
WARM = 5
REGION = "us-east-1"
KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "thing", "region_name": REGION}
SERVICES = ("s3", "sns", "sqs", "iam", "ec2", "ssm", "logs", "ecs", "codecommit", "cloudwatch", "events")
# A server of moto in a process of its own, which ends when its input does.
MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
Client = Callable[[str], Any]
Clients = Mapping[str, Any]

# One change and two reads of each kind of protocol: JSON, query and REST; what is moto's in both, and what is ours.
FURNISH: tuple[Callable[[Clients], Any], ...] = (
    lambda c: c["s3"].create_bucket(Bucket="bench"),
    lambda c: c["s3"].put_object(Bucket="bench", Key="read", Body=b"x" * 1000),
    lambda c: c["iam"].create_role(RoleName="bench", AssumeRolePolicyDocument='{"Statement": []}'),
    lambda c: c["sqs"].create_queue(QueueName="bench"),
    lambda c: c["logs"].create_log_group(logGroupName="bench"),
    lambda c: c["codecommit"].create_repository(repositoryName="bench"),
    lambda c: c["events"].put_rule(Name="bench", EventPattern='{"source": ["x"]}'),
)
MIX: tuple[Callable[[Clients, int], Any], ...] = (
    lambda c, n: c["s3"].put_object(Bucket="bench", Key=f"k{n % 10}", Body=b"x" * 1000),
    lambda c, n: c["s3"].get_object(Bucket="bench", Key="read")["Body"].read(),
    lambda c, n: c["s3"].head_object(Bucket="bench", Key="read"),
    lambda c, n: c["sns"].create_topic(Name=f"t{n % 10}"),
    lambda c, n: c["sns"].list_topics(),
    lambda c, n: c["sqs"].get_queue_url(QueueName="bench"),
    lambda c, n: c["iam"].get_role(RoleName="bench"),
    lambda c, n: c["iam"].list_roles(),
    lambda c, n: c["ec2"].describe_vpcs(),
    lambda c, n: c["ec2"].describe_subnets(),
    lambda c, n: c["ssm"].put_parameter(Name="/bench", Value=str(n), Type="String", Overwrite=True),
    lambda c, n: c["ssm"].get_parameter(Name="/bench"),
    lambda c, n: c["logs"].describe_log_groups(),
    lambda c, n: c["ecs"].register_task_definition(
        family="bench", containerDefinitions=[{"name": "x", "image": "x", "memory": 64}]
    ),
    lambda c, n: c["ecs"].describe_task_definition(taskDefinition="bench"),
    lambda c, n: c["ecs"].list_clusters(),
    lambda c, n: c["codecommit"].get_repository(repositoryName="bench"),
    lambda c, n: c["cloudwatch"].put_metric_data(Namespace="B", MetricData=[{"MetricName": "m", "Value": 1.0}]),
    lambda c, n: c["cloudwatch"].describe_alarms(),
    lambda c, n: c["events"].describe_rule(Name="bench"),
    lambda c, n: c["events"].list_rules(),
)


def measure(make: Client) -> float:
    """Milliseconds a call: the median of the rounds."""
    clients = {name: make(name) for name in SERVICES}
    for furnish in FURNISH:
        furnish(clients)
    return statistics.median([_round(clients, number) for number in range(ROUNDS)][WARM:])


def _round(clients: Clients, number: int) -> float:
    began = time.perf_counter()
    for call in MIX:
        call(clients, number)
    return (time.perf_counter() - began) * 1000 / len(MIX)


def embedded() -> float:
    """A sandbox in this process."""
    return measure(Sandbox.new(Settings()).client)


def mock() -> float:
    """moto in this process."""
    from moto import mock_aws

    with mock_aws():
        return measure(_plain)


def served() -> float:
    """A sandbox in a process of its own, with a journal on the disk of this folder."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        command = [sys.executable, "-m", "runbook_lib.sandbox.serving", "--until-closed", "--state", f"{folder}/state"]
        with _server(command) as ready:
            return measure(_remote(json.loads(ready)["url"]))


def server() -> float:
    """moto in a process of its own."""
    with _server([sys.executable, "-W", "ignore", "-c", MOTO]) as ready:
        return measure(_remote(ready.strip()))


def _plain(name: str) -> Any:
    return boto3.client(name, **KEYS)


def _remote(url: str) -> Client:
    config = Config(s3={"addressing_style": "path"})
    return lambda name: boto3.client(name, endpoint_url=url, config=config, **KEYS)


@contextmanager
def _server(command: list[str]) -> Iterator[str]:
    """A server and the first line that it says; it ends when its input is closed."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.stdin.close()
            process.wait(30)


SIDES: dict[str, Callable[[], float]] = {"embedded": embedded, "mock": mock, "served": served, "server": server}

if __name__ == "__main__":
    os.environ.update({"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "thing"})
    print(SIDES[sys.argv[1]]())
