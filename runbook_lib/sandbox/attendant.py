"""Answers what reaches the listener: AWS's protocols, what services serve besides, and the world's own questions."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import moto_protocol, services
from runbook_lib.sandbox.front import Reply, Ticket

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

CONTROL = "/_sandbox/"
MOVING = frozenset(CONTROL + name for name in ("wait", "advance", "save", "reset", "stop"))


class Attendant:
    """Answers tickets for a world; only its owner may call it."""

    def __init__(self, world: World) -> None:
        self.world = world

    @staticmethod
    def moves_time(ticket: Ticket) -> bool:
        """Whether a ticket asks for something that cannot be done while a child is running."""
        return ticket.path in MOVING

    def serve(self, ticket: Ticket) -> None:
        """Answer a ticket; what goes wrong in the sandbox itself is told as InternalFailure and printed."""
        try:
            reply = self._reply(ticket)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client must get an answer
            reply = internal_failure(error, f"{ticket.method} {ticket.path}")
        ticket.answer.set_result(reply)

    def _reply(self, ticket: Ticket) -> Reply:
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


def _traffic(world: World) -> Reply:
    return as_json(traffic_of(world))


def traffic_of(world: World) -> dict[str, Any]:
    """What came of the load of a live world; of a modelled one there is nothing to tell but that."""
    from runbook_lib.sandbox.traffic import live

    return {"traffic": world.settings.traffic, **(live.told(world) if live.is_live(world) else {})}


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
        **traffic_of(world),
    }


QUESTIONS: dict[str, Callable[[World], Reply]] = {"now": _now, "status": _status, "traffic": _traffic}


def as_json(content: Any, status: int = 200) -> Reply:
    """A reply in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


def internal_failure(error: Exception, asked: str) -> Reply:
    """The reply to a request on which the sandbox itself broke; the traceback goes to its log."""
    sys.stderr.write(f"sandbox: {asked} broke:\n{''.join(traceback.format_exception(error))}")
    told = {"__type": "InternalFailure", "message": f"{type(error).__name__}: {error}"}
    return 500, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": "InternalFailure"}, _encode(told)


def _encode(content: Any) -> bytes:
    return json.dumps(content).encode()
