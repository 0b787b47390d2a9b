"""Answers what reaches the listener: AWS's protocols, what services serve besides, and the world's own questions."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runbook_lib.errors import RunbookError
from runbook_lib.sandbox import cbor, inputs, moto_protocol, services
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.front import Reply, Ticket
from runbook_lib.sandbox.inputs import CONTROL
from runbook_lib.sandbox.traffic import answering

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


class Attendant:
    """Answers tickets for a world; only its owner may call it."""

    def __init__(self, world: World) -> None:
        self.world = world

    @staticmethod
    def waits_for_children(ticket: Ticket) -> bool:
        """Whether a ticket asks for something that may not be done while a child is running."""
        return not (ticket.from_child or inputs.only_reads(ticket))

    def serve(self, ticket: Ticket) -> None:
        """Answer a ticket at once."""
        ticket.answer.set_result(self.reply(ticket))

    def reply(self, ticket: Ticket) -> Reply:
        """The answer to a ticket; what goes wrong in the sandbox itself is told as InternalFailure and printed."""
        try:
            return self._reply(ticket)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client must get an answer
            return internal_failure(error, f"{ticket.method} {ticket.path}", protocol=_protocol(ticket.headers))

    def _reply(self, ticket: Ticket) -> Reply:
        if answering.is_for_balancer(ticket.host):
            return answering.answer(self.world, ticket.method, ticket.target, ticket.headers)
        if ticket.path.startswith(CONTROL):
            return self._told(ticket)
        for prefix, application in self._applications.items():
            if ticket.path.startswith(prefix):
                return moto_protocol.run_wsgi(application, ticket.method, ticket.target, ticket.headers, ticket.body)
        return self.world.gateway.handle_foreign(ticket.method, ticket.target, ticket.headers, ticket.body)

    @cached_property
    def _applications(self) -> dict[str, Any]:
        return {prefix: factory(self.world) for prefix, factory in services.wsgi_factories().items()}

    def _told(self, ticket: Ticket) -> Reply:
        tell = QUESTIONS.get(ticket.path.removeprefix(CONTROL))
        return as_json({"error": f"no such endpoint: {ticket.path}"}, 404) if tell is None else tell(self.world)


def _now(world: World) -> Reply:
    return 200, {"Content-Type": "text/plain"}, f"{world.now:.3f}\n".encode()


def _status(world: World) -> Reply:
    return as_json(status_of(world))


def _overview(world: World) -> Reply:
    from runbook_lib.sandbox.overview import overview_of

    return as_json(overview_of(world))


def _traffic(world: World) -> Reply:
    return as_json(traffic_of(world))


def traffic_of(world: World) -> dict[str, Any]:
    """What came of the load of a live world; of a modelled one there is nothing to tell but that."""
    if world.settings.traffic != "live":
        return {"traffic": world.settings.traffic}
    from runbook_lib.sandbox.traffic import live

    return {"traffic": "live", **live.told(world)}


def status_of(world: World) -> dict[str, Any]:
    """What can be said of a world at a glance; times are epoch seconds."""
    return {
        "now": world.now,
        "idle": world.idle(),
        "next_event": world.next_event_time(),
        "calls": len(world.calls),
        "children": len(world.participants.children),
        "account": world.settings.account,
        "region": world.settings.region,
        "clock": world.settings.clock,
        "pid": os.getpid(),
        **traffic_of(world),
    }


QUESTIONS: dict[str, Callable[[World], Reply]] = {
    "now": _now,
    "status": _status,
    "overview": _overview,
    "traffic": _traffic,
}


def as_json(content: Any, status: int = 200) -> Reply:
    """A reply in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


def refusal(error: RunbookError) -> Reply:
    """The reply to an order that is refused: in words, and in the parts that the error has."""
    parts = {"where": error.where, "seen": error.seen, "wanted": error.wanted, "next": error.next_step}
    return as_json({"error": str(error), "refused": parts, "exit_code": error.exit_code}, 400)


def internal_failure(error: Exception, asked: str, *, protocol: str = "json") -> Reply:
    """The reply to a request on which the sandbox itself broke; the traceback goes to its log."""
    sys.stderr.write(f"sandbox: {asked} broke:\n{''.join(traceback.format_exception(error))}")
    told = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
    return moto_protocol.plain_error(told, protocol=protocol)


def _protocol(headers: dict[str, str]) -> str:
    """The protocol of a request by its headers alone: the request may be what broke the sandbox."""
    told = {name.lower(): value for name, value in headers.items()}
    if cbor.spoken(told):
        return cbor.PROTOCOL
    form = told.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "rest-xml" if "/s3/aws4_request" in told.get("authorization", "") else "query" if form else "json"
