"""AWS protocols by moto's model-driven code: requests in, parameters out; results in, responses out.

With moto_seam.py the only importer of moto; tests/sandbox/test_moto_seam.py holds the contract with the pinned version.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from moto.core.botocore_stubber import MockRawResponse
from moto.core.errors import COMMON_ERROR_CODES, ErrorLookupFactory
from moto.core.exceptions import ServiceException
from moto.core.loaders import create_loader
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol, normalize_request
from moto.core.routing import get_service_router
from moto.core.serialize import ResponseSerializer, SerializationContext, TimestampSerializer, get_serializer_class
from moto.core.utils import get_service_model
from moto.utilities.constants import JSON_TYPES
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.test import run_wsgi_app

from runbook_lib.sandbox import cbor
from runbook_lib.sandbox.errors import AwsError, SandboxError, UnknownErrorCode

# Codes that every AWS service can answer with (API references, "Common Errors"), beyond those that moto knows.
COMMON_CODES = frozenset(
    {
        *COMMON_ERROR_CODES,
        "AccessDenied",
        "AccessDeniedException",
        "InternalFailure",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "NotImplemented",  # the sandbox's own, for what it does not simulate
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "UnrecognizedClientException",
    }
)
JSON = "application/x-amz-json-1.1"
ERROR_CODE = re.compile(rb'(?:<Code>|"__type": ?"(?:[^"#]*#)?)([A-Za-z.]+)')

# Sources: Smithy specification, aws.protocols: awsQuery, ec2Query and restXml, "Operation error serialization".
_INNER = "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
XML_ERRORS = {
    "query": f"<ErrorResponse>{_INNER}<RequestId>none</RequestId></ErrorResponse>",
    "ec2": f"<Response><Errors>{_INNER}</Errors><RequestID>none</RequestID></Response>",
    "rest-xml": f"<ErrorResponse>{_INNER}<RequestId>none</RequestId></ErrorResponse>",
}
RawBody = MockRawResponse  # the body of a response as boto3 wants it
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Matched:
    """The operation that a request asks for; path holds the parameters in its URL."""

    service: str
    operation: str
    protocol: str
    path: dict[str, Any]


def normalized(request: AWSPreparedRequest) -> Request:
    """The request of a client in this process."""
    return normalize_request(request)


def foreign(method: str, url: str, headers: dict[str, str], body: bytes) -> Request:
    """The request of a client in another process, under the URL that AWS has for it."""
    request = Request.from_primitives(method, url, {**headers, **_content_type(url, headers)}, body)
    # Uploads by `curl --data-binary` call themselves a form: the body is kept, whoever looks for a form in it.
    request.get_data(cache=True, parse_form_data=False)
    return request


def _content_type(url: str, headers: dict[str, str]) -> dict[str, str]:
    """What moto tells protocols by, where a client adds a charset, or leaves it out because there is no body."""
    name = next((each for each in headers if each.lower() == "content-type"), "Content-Type")
    told = headers.get(name, "").partition(";")[0].strip()
    if any(each.lower() == "x-amz-target" for each in headers):
        return {name: told if told in JSON_TYPES else JSON}
    return {} if told or "Action=" not in url else {name: "application/x-www-form-urlencoded"}


def run_wsgi(application: Any, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """What a WSGI application answers."""
    environ = Request.from_primitives(
        method, f"http://{headers.get('Host', 'localhost')}{target}", headers, body
    ).environ
    # Not buffered: that would drop what an application gives to the function of start_response, as dulwich does.
    chunks, status, told = run_wsgi_app(application, environ)
    return int(status.split()[0]), dict(told), b"".join(chunks)


def operation_of(service: str, request: Request) -> str:
    """The name of the operation that a request to moto asks for, or "unknown"."""
    if cbor.spoken(request.headers):
        return cbor.operation_in(request.path) or "unknown"
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rsplit(".", 1)[1]
    try:
        return str(get_service_router(service).match(request)[0].name)
    except (NotFound, MethodNotAllowed, NotImplementedError):
        return str(request.values.get("Action", "unknown"))


def has(service: str, operation: str) -> bool:
    """Whether AWS's model of a service has an operation."""
    return service in _services() and operation in get_service_model(service).operation_names


def plain_error(error: AwsError, service: str = "", *, protocol: str = "") -> Answer:
    """An error that no model of an operation describes, in the protocol of the request or else of the service."""
    spoken = protocol or (_own_protocol(service) if service else "json")
    if spoken == cbor.PROTOCOL:
        return error.status, dict(cbor.HEADERS), cbor.write_error(error)
    form = XML_ERRORS.get(spoken)
    if form is not None:
        text = form.format(code=escape(error.code), message=escape(error.message))
        return error.status, {"Content-Type": "text/xml"}, text.encode()
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": error.code}
    return error.status, headers, json.dumps({"__type": error.code, "message": error.message}).encode()


def error_code(status: int, headers: dict[str, str], body: bytes) -> str:
    """The error code in an answer of moto, or "" when it went well."""
    if status < 400:
        return ""
    found = ERROR_CODE.search(body[:2000])
    return found[1].decode() if found else headers.get("X-Amzn-ErrorType", str(status))


def match(service: str, request: Request) -> Matched | None:
    """The operation of a service that a request asks for; None when the model has no such operation."""
    if cbor.spoken(request.headers):
        return _match_cbor(service, cbor.operation_in(request.path))
    try:
        model, path = get_service_router(service).match(request)
    except (NotFound, MethodNotAllowed, NotImplementedError):
        return None
    return Matched(service, model.name, determine_request_protocol(model.service_model, request.content_type), path)


def _match_cbor(service: str, operation: str) -> Matched | None:
    return Matched(service, operation, cbor.PROTOCOL, {}) if has(service, operation) else None


def protocol_of(service: str, request: Request) -> str:
    """The protocol that a request speaks, also one to a service that nobody knows; service may be ""."""
    if cbor.spoken(request.headers):
        return cbor.PROTOCOL
    if "X-Amz-Target" in request.headers:
        return "json"
    if service in _services():
        return _own_protocol(service)
    return "query" if "Action" in request.values else "json"


def asked_of(service: str, request: Request) -> str:
    """What a request asks for, in its own words."""
    if protocol_of(service, request).startswith("rest"):
        return f"{request.method} {request.path}"
    named = request.headers.get("X-Amz-Target") or cbor.operation_in(request.path) or request.values.get("Action")
    return named or f"{request.method} {request.path}"


@cache
def _services() -> frozenset[str]:
    return frozenset(create_loader().list_available_services("service-2"))


def _own_protocol(service: str) -> str:
    """The protocol of a request that does not say what it speaks: the one before CBOR and JSON, where there was one."""
    metadata = get_service_model(service).metadata
    listed = metadata.get("protocols") or [metadata["protocol"]]
    return next((each for each in listed if each not in (cbor.PROTOCOL, "json")), "json")


def parse(matched: Matched, request: Request) -> dict[str, Any]:
    """The parameters as boto3 was given them: times aware, blobs as bytes, absent keys absent."""
    if matched.protocol == cbor.PROTOCOL:
        return cbor.read(request.data, _operation(matched.service, matched.operation).input_shape)
    parser = _parser(matched.service, matched.operation, matched.protocol)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": matched.path,
        }
    )
    return parsed or {}


def complaint(matched: Matched, params: dict[str, Any]) -> str:
    """What is wrong with parameters by the operation's model (required keys and types), or ""."""
    shape = _operation(matched.service, matched.operation).input_shape
    return ParamValidator().validate(params, shape).generate_report() if shape is not None else ""


def check(matched: Matched, result: dict[str, Any] | AwsError) -> None:
    """Raise when a service answers what AWS's model of the operation does not hold."""
    if isinstance(result, AwsError):
        _check_code(matched, result.code)
    else:
        _check_result(matched, result)


def respond(matched: Matched, result: dict[str, Any] | AwsError, *, request_id: str) -> Answer:
    """The response that carries a result or an error, in the protocol of the request."""
    if matched.protocol == cbor.PROTOCOL:
        return _respond_cbor(matched, result, request_id)
    shown: Any = _Shown(result) if isinstance(result, AwsError) else result
    serializer = _serializer(matched.service, matched.operation, matched.protocol)
    serializer.context.request_id = request_id
    serializer.path = [matched.operation]
    with warnings.catch_warnings(action="ignore"):  # moto's word on codes: _check_code has the last one
        out = serializer.serialize(shown)
    status = result.status if isinstance(result, AwsError) else _status(matched, result, out["status_code"])
    body = out["body"]
    headers = {**out["headers"], "x-amzn-RequestId": request_id}
    return status, headers, body.encode() if isinstance(body, str) else body or b""


def _status(matched: Matched, result: dict[str, Any], usual: int) -> int:
    """A member of the answer may be the HTTP status itself, which moto's serializers do not know."""
    shape = _operation(matched.service, matched.operation).output_shape
    members = shape.members.items() if shape is not None else ()
    stated = [name for name, member in members if member.serialization.get("location") == "statusCode"]
    return next((result[name] for name in stated if name in result), usual)


def _respond_cbor(matched: Matched, result: dict[str, Any] | AwsError, request_id: str) -> Answer:
    headers = {**cbor.HEADERS, "x-amzn-RequestId": request_id}
    if not isinstance(result, AwsError):
        output = _operation(matched.service, matched.operation).output_shape
        return 200, headers, cbor.write(_without_none(result), output)
    model = get_service_model(matched.service)
    shape = ErrorLookupFactory().for_service(model).from_code(result.code)
    if model.is_query_compatible:
        headers["x-amzn-query-error"] = f"{result.code};{'Receiver' if result.status >= 500 else 'Sender'}"
    return result.status, headers, cbor.write_error(result, shape)


class _Shown(ServiceException):
    """An AwsError in the form that moto's serializers know."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.code, error.message)
        self.__dict__.update(error.fields)


def _check_code(matched: Matched, code: str) -> None:
    model = _operation(matched.service, matched.operation)
    known = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
    known |= {shape.name for shape in model.error_shapes}
    if known and code not in known | COMMON_CODES:
        raise UnknownErrorCode(f"{matched.service}.{matched.operation} cannot answer {code}; it has {sorted(known)}")


class _Answers(ParamValidator):
    """What an answer must be: a list of it may be empty, where its model, shared with a request, wants one member."""

    def _validate_list(self, param: Any, shape: Any, errors: Any, name: str) -> None:
        if param != []:
            super()._validate_list(param, shape, errors, name)  # type: ignore[misc]


def _check_result(matched: Matched, result: dict[str, Any]) -> None:
    shape = _operation(matched.service, matched.operation).output_shape
    if shape is None:
        return
    report = _Answers().validate(_without_none(result), shape).generate_report()
    if report:
        raise SandboxError(f"the answer of {matched.service}.{matched.operation} does not fit its model: {report}")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_without_none(each) for each in value]
    return value


def known_error_code(service: str, code: str) -> bool:
    """Whether a service's model holds an error code."""
    return ErrorLookupFactory().for_service(get_service_model(service)).from_code(code) is not None


@cache
def _operation(service: str, operation: str) -> OperationModel:
    return get_service_model(service).operation_model(operation)


@cache
def _parser(service: str, operation: str, protocol: str) -> Any:
    return PROTOCOL_PARSERS[protocol](_operation(service, operation), timestamp_parser=_aware)


def _aware(value: Any) -> datetime:
    return parse_timestamp(value).astimezone(UTC)


@cache
def _serializer(service: str, operation: str, protocol: str) -> ResponseSerializer:
    kind: Any = get_serializer_class(service, protocol)
    serializer: ResponseSerializer = _plain(kind)(
        operation_model=_operation(service, operation), context=SerializationContext()
    )
    serializer._timestamp_serializer = _UtcTimestamps(serializer.DEFAULT_TIMESTAMP_FORMAT)
    return serializer


@cache
def _plain(kind: Any) -> Any:
    """A serializer that takes dicts at their word, without moto's search for attributes under other names."""

    def get_value(self: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        return value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    return type(f"Plain{kind.__name__}", (kind,), {"get_value": get_value})


class _UtcTimestamps(TimestampSerializer):
    """Times given as epoch seconds are not read in the time zone of the machine."""

    def _convert_timestamp_to_str(self, value: Any, timestamp_format: str) -> Any:
        moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value.astimezone(UTC)
        return super()._convert_timestamp_to_str(moment, timestamp_format)
