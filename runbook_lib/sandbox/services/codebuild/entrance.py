"""The door through which the commands of a build call AWS: what the build's role does not allow stays outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from werkzeug.wrappers import Request

from runbook_lib.sandbox import clients, moto_protocol, trail
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.moto_protocol import Answer
from runbook_lib.sandbox.services.codebuild import authority, lookup
from runbook_lib.sandbox.services.codebuild.authority import Wish
from runbook_lib.sandbox.services.codebuild.store import Build

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Scope
    from runbook_lib.sandbox.world import World

PREFIX = "/_codebuild/"
XML = ("ec2", "query", "rest-xml")  # in these protocols the code of a denial is AccessDenied


def path(build: Build) -> str:
    """What stands before the path of every call of this build."""
    return PREFIX + quote(build.id, safe="")


def application(world: World) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that answers the calls of builds."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        name, _, rest = environ["RAW_URI"].removeprefix(PREFIX).partition("/")
        build = lookup.build(world, unquote(name))
        status, headers, body = ask(world, build, request.method, f"/{rest}", dict(request.headers), request.get_data())
        start_response(f"{status} {HTTPStatus(status).phrase}", [(key, str(value)) for key, value in headers.items()])
        return [body]

    return serve


def ask(world: World, build: Build, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """The answer to a call of a build's command; target is its path and query."""

    def refusal(wishes: Iterable[Wish]) -> str:
        return authority.refusal(world, build, *wishes)

    return through(world, refusal, method, target, headers, body)


def through(
    world: World,
    refusal: Callable[[Iterable[Wish]], str],
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
) -> Answer:
    """The answer to a call of a child process, unless there is a refusal of what the call wishes."""
    scope = world.gateway.scope_of(moto_protocol.foreign(method, f"http://localhost{target}", headers, body))
    host = clients.host(scope.service, scope.region) if scope is not None else None
    if scope is None or host is None:
        return world.gateway.handle_foreign(method, target, headers, body)
    asked = moto_protocol.foreign(method, f"https://{host}{target}", {**headers, "Host": host}, body)
    operation = moto_protocol.operation_of(scope.service, asked)
    refused = refusal(authority.wishes(world, scope.service, operation, target, asked.get_data()))
    if refused:
        return _denied(world, scope, operation, refused, asked)
    return world.gateway.handle_foreign(method, target, headers, body)


def _denied(world: World, scope: Scope, operation: str, message: str, asked: moto_protocol.Request) -> Answer:
    protocol = clients.session()._session.get_service_model(scope.service).metadata["protocol"]
    error = AwsError("AccessDenied", message, 403) if protocol in XML else AwsError("AccessDeniedException", message)
    answer = moto_protocol.plain_error(error, scope.service)
    world.log_call(
        caller=scope.caller,
        service=scope.service,
        operation=operation,
        error=error.code,
        region=scope.region,
        wire=trail.wire(scope.service, operation, asked, answer),
    )
    return answer
