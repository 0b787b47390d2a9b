"""Reads requests and answers as they were on the wire, and shows them as CloudTrail does: without what is secret.

What AWS marks as sensitive in the model of an operation is hidden, and so are the values of environment variables.
CloudTrail leaves some of that out instead, which differs from service to service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.parsers import create_parser

from runbook_lib.sandbox import clients, moto_protocol
from runbook_lib.sandbox.moto_protocol import Matched
from runbook_lib.sandbox.trail import Wire

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
SECRET = frozenset({"authorizationtoken", "oauthtoken", "password", "secretaccesskey", "sessiontoken"})
VARIABLES = frozenset({"environment", "environmentvariables", "environmentvariablesoverride", "environmentoverride"})
PROTOCOLS = ("ec2", "json", "query", "rest-json", "rest-xml")
# S3's parameters are not called as in its API.
RENAMED = {("s3", "bucket"): "bucketName"}


def parameters(service: str, kept: Wire) -> dict[str, Any] | None:
    """The parameters of a request; None when it has none, or when they are too large to be shown."""
    found = _matched(service, kept)
    if found is None or kept.body is None:
        return None
    matched, request = found
    shape = _operation(service, matched.operation).input_shape
    shown = _shown(moto_protocol.parse(matched, request), shape) if shape is not None else {}
    return {RENAMED.get((service, name), name): value for name, value in shown.items()} or None


def elements(service: str, kept: Wire) -> dict[str, Any] | None:
    """The answer to a call that changed something; None where it says nothing."""
    found = _matched(service, kept)
    shape = _operation(service, found[0].operation).output_shape if found else None
    if found is None or shape is None or kept.status >= 300 or not kept.answer:
        return None
    answer = _answer(found[0], kept, shape)
    answer.pop("ResponseMetadata", None)
    return _shown(answer, shape) or None


def error_message(service: str, kept: Wire) -> str:
    """What was wrong with a call that was refused."""
    found = _matched(service, kept)
    if found is None or kept.answer is None:
        return ""
    told = _answer(found[0], kept, None).get("Error", {})
    return str(told.get("Message", ""))


def request_id(kept: Wire) -> str:
    """The id that the answer bore; "" when it had none."""
    told = {name.lower(): value for name, value in kept.answered.items()}
    return told.get("x-amzn-requestid", told.get("x-amz-request-id", ""))


def _matched(service: str, kept: Wire) -> tuple[Matched, Any] | None:
    request = moto_protocol.foreign(kept.method, kept.url, kept.headers, kept.body or b"")
    matched = moto_protocol.match(service, request)
    return (matched, request) if matched is not None and matched.protocol in PROTOCOLS else None


def _answer(matched: Matched, kept: Wire, shape: Any) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in kept.answered.items()}
    told = {"status_code": kept.status, "headers": headers, "body": kept.answer}
    parsed: dict[str, Any] = create_parser(matched.protocol).parse(told, shape)
    return parsed


@cache
def _operation(service: str, operation: str) -> Any:
    return clients.session()._session.get_service_model(service).operation_model(operation)


# ---- showing


def _shown(value: Any, shape: Any) -> Any:
    if shape.metadata.get("sensitive"):
        return HIDDEN
    return _SHAPES.get(shape.type_name, _plain)(value, shape)


def _structure(value: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    found = {}
    for name, each in value.items():
        member = shape.members.get(name)
        if member is None or each is None or member.type_name == "blob":
            continue
        key = name[0].lower() + name[1:]
        found[key] = HIDDEN if name.lower() in SECRET else _member(name, _shown(each, member))
    return found


def _member(name: str, shown: Any) -> Any:
    return _without_values(shown) if name.lower() in VARIABLES else shown


def _without_values(shown: Any) -> Any:
    if isinstance(shown, list):
        return [_without_values(each) for each in shown]
    if isinstance(shown, dict) and "value" in shown:
        return {**shown, "value": HIDDEN}
    if isinstance(shown, dict) and "variables" in shown:
        return {}  # Lambda's
    return shown


def _map(value: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    return {key: HIDDEN if key.lower() in SECRET else _shown(each, shape.value) for key, each in value.items()}


def _time(value: Any, shape: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    hour = value.hour % 12 or 12
    return f"{value:%b} {value.day}, {value.year}, {hour}:{value:%M:%S %p}"


def _plain(value: Any, shape: Any) -> Any:
    return value


_SHAPES: dict[str, Callable[[Any, Any], Any]] = {
    "structure": _structure,
    "list": lambda value, shape: [_shown(each, shape.member) for each in value],
    "map": _map,
    "timestamp": _time,
}
