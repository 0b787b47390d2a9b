"""What nobody serves is refused by its name, in the protocol of the one who asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from abroad import signed
from botocore.parsers import create_parser

from runbook_lib.sandbox import Sandbox, Settings, cbor, clients
from runbook_lib.sandbox.gateway import SIGNED_AS
from runbook_lib.sandbox.moto_protocol import Answer

# The services that the story of the runbooks names.
SERVICES = (
    *("ecs", "elbv2", "ecr", "codecommit", "codebuild", "codepipeline", "codedeploy", "cloudwatch", "iam", "sts", "s3"),
    *("application-autoscaling", "codeconnections", "codestar-connections", "logs", "events", "lambda", "ec2", "ssm"),
    *("secretsmanager", "sns", "sqs", "resourcegroupstaggingapi"),
)
FORM = "application/x-www-form-urlencoded; charset=utf-8"
NAMED = "Frobnicate"
Asked = tuple[str, str, dict[str, str], bytes]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One world for all: nothing is left behind in it."""
    made = Sandbox.new(Settings())
    yield made
    made.close()


def model(service: str) -> Any:
    return clients.session()._session.get_service_model(service)


def in_json(service: str, operation: str) -> Asked:
    target = f"{model(service).metadata['targetPrefix']}.{operation}"
    return "POST", "/", {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, b"{}"


def in_query(service: str, operation: str) -> Asked:
    form = {"Action": operation, "Version": model(service).api_version}
    return "POST", "/", {"Content-Type": FORM}, urlencode(form).encode()


def in_cbor(service: str, operation: str) -> Asked:
    path = f"/service/{model(service).metadata['targetPrefix']}/operation/{operation}"
    return "POST", path, {"smithy-protocol": cbor.SPOKEN, "Content-Type": "application/cbor"}, b"\xa0"


def in_rest(service: str, operation: str) -> Asked:
    return "PATCH", f"/2015-03-31/{operation}", {}, b""


ASK = {
    "json": in_json,
    "query": in_query,
    "ec2": in_query,
    "rest-json": in_rest,
    "rest-xml": in_rest,
    cbor.PROTOCOL: in_cbor,
}
SPOKEN = [
    (service, protocol)
    for service in SERVICES
    for protocol in model(service).metadata.get("protocols", [model(service).metadata["protocol"]])
]


def ask(sandbox: Sandbox, service: str, asked: Asked) -> Answer:
    """The answer to a request that came through a socket."""
    method, target, headers, body = asked
    name = next((each for each, known in SIGNED_AS.items() if known == service), model(service).signing_name)
    return sandbox.world.gateway.handle_foreign(method, target, {**signed(name), **headers}, body)


def read(protocol: str, answer: Answer) -> dict[str, Any]:
    """The error in an answer, as boto3 reads it."""
    status, headers, body = answer
    told = {"status_code": status, "headers": {name.lower(): value for name, value in headers.items()}, "body": body}
    error: dict[str, Any] = create_parser(protocol).parse(told, None)["Error"]
    return error


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_an_operation_that_does_not_exist_is_refused_by_its_name(sandbox: Sandbox, service: str, protocol: str) -> None:
    """501, a code and a message that every SDK can read, and no page in HTML."""
    answer = ask(sandbox, service, ASK[protocol](service, NAMED))
    error = read(protocol, answer)
    assert (answer[0], error["Code"]) == (501, "NotImplemented")
    assert service in error["Message"]
    assert NAMED in error["Message"]
    assert b"<html" not in answer[2].lower()


# An operation of each protocol that AWS has and that neither this project nor moto serves.
UNSERVED = [
    ("ecs", "ListDaemons", "json"),
    ("codedeploy", "BatchGetDeploymentInstances", cbor.PROTOCOL),
    ("cloudwatch", "ListMetricStreams", "json"),
    ("cloudwatch", "ListMetricStreams", "query"),
    ("cloudwatch", "ListMetricStreams", cbor.PROTOCOL),
    ("codestar-connections", "ListHosts", "json"),
    ("ec2", "DescribeFpgaImages", "ec2"),
    ("ssm", "DescribeInstancePatches", "json"),
]


@pytest.mark.parametrize(("service", "operation", "protocol"), UNSERVED)
def test_an_operation_that_is_not_served_is_refused_by_its_name(
    sandbox: Sandbox, service: str, operation: str, protocol: str
) -> None:
    """It exists at AWS; here the client is told which one it was."""
    answer = ask(sandbox, service, ASK[protocol](service, operation))
    error = read(protocol, answer)
    assert (answer[0], error["Code"]) == (501, "NotImplemented")
    assert f"{service}.{operation}" in error["Message"]


@pytest.mark.parametrize(
    ("protocol", "headers", "body"),
    [
        ("json", {"X-Amz-Target": "Weather_20260101.GetWeather"}, b"{}"),
        ("query", {"Content-Type": FORM}, b"Action=GetWeather"),
        (cbor.PROTOCOL, {"smithy-protocol": cbor.SPOKEN}, b"\xa0"),
    ],
)
def test_a_service_that_does_not_exist_is_refused_in_the_same_protocol(
    sandbox: Sandbox, protocol: str, headers: dict[str, str], body: bytes
) -> None:
    """botocore does not know it either."""
    answer = sandbox.world.gateway.handle_foreign("POST", "/", {**signed("weather"), **headers}, body)
    error = read(protocol, answer)
    assert (answer[0], error["Code"]) == (501, "NotImplemented")
    assert "weather" in error["Message"]


@pytest.mark.parametrize("protocol", ["json", "query", cbor.PROTOCOL])
def test_a_request_that_is_not_signed_is_refused_in_its_protocol(sandbox: Sandbox, protocol: str) -> None:
    """The same request without its signature."""
    method, target, headers, body = ASK[protocol]("cloudwatch", NAMED)
    answer = sandbox.world.gateway.handle_foreign(method, target, headers, body)
    assert (answer[0], read(protocol, answer)["Code"]) == (403, "MissingAuthenticationToken")
