"""Which requests change a world, and how they are written down."""

from __future__ import annotations

import contextlib
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError
from release_stage import begin

from runbook_lib.sandbox import inputs, moto_seam, moto_state
from runbook_lib.sandbox.front import Ticket

REQUESTS = yaml.safe_load((Path(__file__).parents[1] / "cases/sandbox/requests.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("told", REQUESTS, ids=lambda told: told["name"])
def test_a_request_is_known_for_a_read_or_a_change(told: dict[str, Any]) -> None:
    """By the operation that it names in its protocol, else by its method."""
    ticket = Ticket(told["method"], told["target"], told.get("headers", {}), told.get("body", "").encode())
    assert inputs.only_reads(ticket) is told["reads"]


def test_a_call_is_read_as_it_was_written() -> None:
    """With any bytes in its body, and what reads drew before it."""
    ticket = Ticket("PUT", "/bucket/key?x=1", {"Content-Type": "text/plain"}, b"\n{}\0\xff")
    given = inputs.call(12.5, ticket, (200, {}, b"ok")).after({"uuid:request": 3})
    again = inputs.read(given.written())
    assert again == given
    found = inputs.ticket_of(again)
    assert (found.method, found.target, found.headers, found.body) == (
        ticket.method,
        ticket.target,
        ticket.headers,
        ticket.body,
    )


def test_no_credentials_are_written_down() -> None:
    """Who calls is kept, for permissions; what would let somebody call elsewhere is not."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=KEY/20260302/us-east-1/sns/aws4_request, Signature=0123abcd",
        "X-Amz-Security-Token": "a-real-session",
    }
    written = inputs.call(0.0, Ticket("POST", "/", headers, b""), (200, {}, b"")).written()
    assert b"Credential=KEY/20260302" in written
    assert b"0123abcd" not in written
    assert b"a-real-session" not in written


@pytest.mark.parametrize(("body", "same"), [(b"[b,a]", True), (b"[a,c]", False), (b"[a,b] ", False)])
def test_an_outline_tells_another_content_and_not_another_order(body: bytes, same: bool) -> None:
    """moto's sets come in another order in another process."""
    assert (inputs.outline((200, {}, b"[a,b]")) == inputs.outline((200, {}, body))) is same


# The services that a release touches, and those that its runbooks read besides.
SERVICES = """
ecs elbv2 ecr codecommit codebuild codepipeline codedeploy cloudwatch application-autoscaling iam codeconnections logs
events lambda s3 sts ec2 secretsmanager ssm sns sqs kms
""".split()  # noqa: SIM905


def test_what_counts_as_a_read_leaves_every_service_as_it_is() -> None:
    """Every operation that needs no parameters, in a world with a release pipeline."""
    world = begin().world
    for name in SERVICES:
        client = world.gateway.client(name, caller=world.operator)
        before = _content(world)
        for operation in filter(_reads_without_parameters(client), client.meta.service_model.operation_names):
            with contextlib.suppress(ClientError):  # one that is not served says so
                getattr(client, xform_name(operation))()
        after = _content(world)
        assert [part for part in before if before[part] != after[part]] == [], name


def _reads_without_parameters(client: Any) -> Any:
    def reads(operation: str) -> bool:
        shape = client.meta.service_model.operation_model(operation).input_shape
        headers = {"X-Amz-Target": f"x.{operation}"}
        return inputs.only_reads(Ticket("POST", "/", headers, b"")) and not (shape and shape.required_members)

    return reads


def _content(world: Any) -> dict[Any, bytes]:
    """What each service keeps, ours and moto's."""
    moto_seam.enter(world)
    backends = list(moto_state._backends())
    content = {name: pickle.dumps(store) for name, store in world._stores.items()}
    return content | {name: _written(backend, backends) for name, backend in backends}


def _written(backend: Any, backends: list[Any]) -> bytes:
    buffer = io.BytesIO()
    moto_state._Pickler(buffer, {id(each): name for name, each in backends}).dump(backend.__dict__)
    return buffer.getvalue()
