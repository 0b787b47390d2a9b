"""The door through which functions call AWS: what a function's role does not allow stays outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request

from runbook_lib.sandbox.moto_protocol import Answer
from runbook_lib.sandbox.services.codebuild import authority
from runbook_lib.sandbox.services.codebuild import entrance as door
from runbook_lib.sandbox.services.lambda_ import access
from runbook_lib.sandbox.services.lambda_.bootstrap import RESOLVE
from runbook_lib.sandbox.services.lambda_.store import Invocation, store
from runbook_lib.sandbox.services.lambda_.workplace import PREFIX
from runbook_lib.sandbox.services.sts import session_arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def application(world: World) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that answers the calls of functions."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        id, _, rest = environ["RAW_URI"].removeprefix(PREFIX).partition("/")
        status, headers, body = _answer(world, store(world).running[id], request, f"/{rest}")
        start_response(f"{status} {HTTPStatus(status).phrase}", [(key, str(value)) for key, value in headers.items()])
        return [body]

    return serve


def _answer(world: World, made: Invocation, request: Request, target: str) -> Answer:
    if target.startswith(RESOLVE):
        from runbook_lib.sandbox.traffic import answering

        found = answering.resolve(world, request.args["name"], request.args["port"])
        return 200, {"Content-Type": "text/plain"}, found.encode()

    def refusal(wishes: Iterable[authority.Wish]) -> str:
        return _refusal(world, made, wishes)

    return door.through(world, refusal, request.method, target, dict(request.headers), request.get_data())


def _refusal(world: World, made: Invocation, wishes: Iterable[authority.Wish]) -> str:
    grants = access.grants(world, made.function.role)
    caller = session_arn(made.function.role, made.function.name)
    refused = (authority.denial(caller, wish) for wish in wishes if not authority.allowed(grants, wish))
    return next(refused, "")
