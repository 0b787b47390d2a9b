"""What comes to a world from outside: which requests change it, and how an input is written down and read again.

A request that only reads is no input: it is never done again. What it drew from the counters of the world all the
same (request ids, the seeds of moto's answers) is written down with the next input, so that every later id is the
same again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from runbook_lib.sandbox.front import Reply, Ticket

READS = re.compile(r"(BatchDescribe|BatchGet|Describe|Filter|Get|Head|List|Lookup|Search)[A-Z]")
# Reads by their names that make something: credentials, a password, keys that AWS makes when they are first asked for.
MAKING = frozenset(
    {
        "DescribeKey",
        "DescribeReservedInstancesOfferings",
        "GetAuthorizationToken",
        "GetCredentials",
        "GetFederationToken",
        "GetParametersForImport",
        "GetRandomPassword",
        "GetSessionToken",
        "ListAliases",
    }
)
CONTROL = "/_sandbox/"
QUESTIONS = frozenset(CONTROL + name for name in ("now", "status", "overview", "traffic"))
GIT_PUSH = "git-receive-pack"
GIT = "/v1/repos/"
SAFE = ("GET", "HEAD", "OPTIONS")
# Of no use when a request is answered once more, and not ours to keep.
NOT_KEPT = frozenset({"x-amz-security-token", "connection", "expect"})
SIGNATURE = re.compile(r",? *Signature=[0-9a-f]*")


def only_reads(ticket: Ticket) -> bool:
    """Whether a request leaves the world as it is; where that is not certain, it does not."""
    if ticket.path.startswith(CONTROL):
        return ticket.path in QUESTIONS
    if ticket.path.startswith(GIT):
        return not ticket.path.endswith(GIT_PUSH)
    operation = _operation(ticket)
    if operation:
        return bool(READS.match(operation)) and operation not in MAKING
    return ticket.method in SAFE


def _operation(ticket: Ticket) -> str:
    """The operation that a request names; "" where the method and path alone tell (REST)."""
    headers = {name.lower(): value for name, value in ticket.headers.items()}
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    if "smithy-protocol" in headers:
        return ticket.path.rpartition("/")[2]
    if "Action" in ticket.query:
        return ticket.query["Action"]
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(ticket.body.decode(errors="replace")).get("Action", [""])[0]
    return ""


@dataclass(frozen=True)
class Input:
    """Something that came from outside at a time of the world.

    kind is a key of the server's table of inputs; content is JSON; drawn is by how much reads moved the counters
    since the input before.
    """

    time: float
    kind: str
    content: Mapping[str, Any]
    body: bytes = b""
    drawn: Mapping[str, int] = field(default_factory=dict)

    def written(self) -> bytes:
        """As an entry of the journal."""
        head = {"time": self.time, "kind": self.kind, "content": self.content, "drawn": self.drawn}
        return json.dumps(head, separators=(",", ":")).encode() + b"\n" + self.body

    def after(self, drawn: Mapping[str, int]) -> Input:
        """The same input, with what reads drew before it."""
        return replace(self, drawn=dict(drawn))


def read(content: bytes) -> Input:
    """The input of an entry of the journal."""
    head, _, body = content.partition(b"\n")
    told = json.loads(head)
    return Input(told["time"], told["kind"], told["content"], body, told["drawn"])


def call(time: float, ticket: Ticket, reply: Reply) -> Input:
    """A request that may have changed the world, and what its answer looked like."""
    headers = {name: _without_signature(value) for name, value in ticket.headers.items() if _is_kept(name)}
    content = {"method": ticket.method, "target": ticket.target, "headers": headers, "answer": outline(reply)}
    return Input(time, "call", content, ticket.body)


def _is_kept(name: str) -> bool:
    return name.lower() not in NOT_KEPT


def _without_signature(value: str) -> str:
    return SIGNATURE.sub(", Signature=0", value) if value.startswith("AWS4-") else value


def ticket_of(given: Input) -> Ticket:
    """The request of a call, to be answered once more."""
    told = given.content
    return Ticket(told["method"], told["target"], dict(told["headers"]), given.body)


def outline(reply: Reply) -> list[int]:
    """Status, length and sum of an answer: another id shows in it, another order within a set does not.

    Of an answer in which the sandbox itself broke only the status counts: its text may name places in memory.
    """
    status, _, body = reply
    return [status, len(body), sum(body)] if status < 500 else [status, 0, 0]
