"""Which requests change a world, and how they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.sandbox import inputs
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
