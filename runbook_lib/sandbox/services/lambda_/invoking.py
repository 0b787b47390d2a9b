"""Invoke: the answer of a function, a place in its queue, or only whether one may (Lambda API reference, Invoke)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.lambda_ import access, functions, queue, running
from runbook_lib.sandbox.services.lambda_.store import Function, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

SYNCHRONOUS, ASYNCHRONOUS = 6_291_456, 1_048_576  # bytes of a payload (Lambda quotas)


def invoke(call: Call) -> dict[str, Any]:
    """Invoke: RequestResponse (the usual), Event or DryRun."""
    kind = call.params.get("InvocationType", "RequestResponse")
    if kind not in _KINDS:
        text = f"Value '{kind}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set:"
        raise AwsError("InvalidParameterValueException", f"{text} [Event, DryRun, RequestResponse]")
    function = _function(call)
    return _KINDS[kind](call, function, _event(call, ASYNCHRONOUS if kind == "Event" else SYNCHRONOUS))


def _function(call: Call) -> Function:
    name, qualifier = call.params["FunctionName"], call.params.get("Qualifier", "")
    found = functions.find(call.world, name, qualifier)
    if found is None:
        missing = functions.named(call.world, name, qualifier)
        raise AwsError("ResourceNotFoundException", f"Function not found: {missing}", 404, Type="User")
    refused = access.refusal(call.world, call.caller, found)
    if refused:
        raise AwsError("AccessDeniedException", refused, 403)
    return found


def _event(call: Call, most: int) -> str:
    content: bytes = call.params.get("Payload") or b"{}"
    if len(content) > most:
        text = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", text, 413)
    try:
        text = content.decode()
        json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from None
    return text


def _at_once(call: Call, function: Function, event: str) -> dict[str, Any]:
    if permissions.assumable(call.world, function.role, functions.PRINCIPAL):
        raise AwsError("AccessDeniedException", functions.NO_ROLE, 403)
    id = call.world.ids.uuid("lambda-request")
    running.begin(call.world, function, event, waits=False, id=id)
    outcome = store(call.world).ended.pop(id)
    answer = {"StatusCode": 200, "ExecutedVersion": function.version, "Payload": outcome.payload.encode()}
    if outcome.error:
        answer["FunctionError"] = outcome.error
    if call.params.get("LogType") == "Tail":
        answer["LogResult"] = outcome.tail
    return answer


def _queued(call: Call, function: Function, event: str) -> dict[str, Any]:
    queue.send(call.world, function.name, event, qualifier=function.qualifier)
    return {"StatusCode": 202}


def _only_asked(call: Call, function: Function, event: str) -> dict[str, Any]:
    return {"StatusCode": 204}


_KINDS: dict[str, Callable[[Call, Function, str], dict[str, Any]]] = {
    "RequestResponse": _at_once,
    "Event": _queued,
    "DryRun": _only_asked,
}
OPERATIONS = {"Invoke": invoke}
