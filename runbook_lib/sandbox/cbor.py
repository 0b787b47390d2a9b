"""Smithy's RPC v2 with CBOR bodies: what newer AWS SDKs speak to the services that offer it.

Sources: Smithy specification, additional-specs/protocols/smithy-rpc-v2 ("Requests", "Responses", "Shape serialization",
"Operation error serialization"), and RFC 8949, sections 3.2 (indefinite lengths) and 3.4 (tags). The bytes are read and
written by botocore's own code, which is written for the other end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape
from botocore.parsers import ResponseParserError, RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer
from botocore.utils import parse_timestamp

from runbook_lib.sandbox.errors import AwsError

PROTOCOL = "smithy-rpc-v2-cbor"  # botocore's name of it
SPOKEN = "rpc-v2-cbor"  # the value of the header by which a request says so
HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": SPOKEN}
PATH = re.compile(r"/service/[^/]+/operation/([^/]+)")


def spoken(headers: Any) -> bool:
    """Whether a request speaks this protocol."""
    return str(headers.get("smithy-protocol", "")).lower() == SPOKEN


def operation_in(path: str) -> str:
    """The operation that a path names, or ""."""
    found = PATH.search(path)
    return found[1] if found else ""


# ---- requests


def read(body: bytes, shape: Shape | None) -> dict[str, Any]:
    """The parameters in the body of a request; refused when it is not one CBOR item."""
    found = decode(body) if body else {}
    params: dict[str, Any] = {} if shape is None else _shaped(shape, found)
    return params


def decode(body: bytes) -> Any:
    """The one item that a body holds."""
    stream = _reader.get_peekable_stream_from_bytes(body)
    try:
        item = _reader.parse_data_item(stream)
    except (ResponseParserError, UnicodeDecodeError, TypeError) as error:
        raise _unreadable(str(error)) from error
    if stream.read(1):
        raise _unreadable("there are bytes after the first item")
    return item


def _unreadable(why: str) -> AwsError:
    return AwsError("SerializationException", f"The body of the request is not what CBOR allows: {why}")


_ReaderOfAnswers: Any = RpcV2CBORParser
_WriterOfRequests: Any = RpcV2CBORSerializer


class _Reader(_ReaderOfAnswers):
    """botocore's reader, which knows the tag of times only; SDKs write integers beyond 64 bits too."""

    def _parse_tag(self, stream: Any, additional_info: int) -> Any:
        tag = self._parse_unsigned_integer(stream, additional_info)
        value = self.parse_data_item(stream)
        if tag not in TAGS:
            raise ResponseParserError(f"a tag of {tag}; wanted one of {sorted(TAGS)}")
        return TAGS[tag](value)


def _moment(value: Any) -> datetime:
    return parse_timestamp(value).astimezone(UTC)


TAGS: dict[int, Callable[[Any], Any]] = {
    1: _moment,
    2: lambda value: int.from_bytes(value, "big"),
    3: lambda value: -1 - int.from_bytes(value, "big"),
}
_reader = _Reader()


def _shaped(shape: Any, value: Any) -> Any:
    """A value as boto3 was given it; one of a wrong type stays as it is, for the check of the parameters."""
    shaped = SHAPED.get((shape.type_name, type(value)))
    return value if shaped is None else shaped(shape, value)


def _structure(shape: Any, value: dict[str, Any]) -> dict[str, Any]:
    members = shape.members
    return {name: _shaped(members[name], each) for name, each in value.items() if name in members and each is not None}


def _list(shape: Any, value: list[Any]) -> list[Any]:
    return [_shaped(shape.member, each) for each in value]


def _map(shape: Any, value: dict[str, Any]) -> dict[str, Any]:
    return {key: _shaped(shape.value, each) for key, each in value.items()}


def _whole(shape: Any, value: float) -> Any:
    return int(value) if value.is_integer() else value


SHAPED: dict[tuple[str, type], Callable[[Any, Any], Any]] = {
    ("structure", dict): _structure,
    ("list", list): _list,
    ("map", dict): _map,
    ("integer", float): _whole,
    ("long", float): _whole,
    ("timestamp", int): lambda shape, value: _moment(value),
    ("timestamp", float): lambda shape, value: _moment(value),
}


# ---- responses


class _Writer(_WriterOfRequests):
    """botocore's writer, which takes the clock time of any zone for UTC's; times go out as seconds of the epoch."""

    def _serialize_type_timestamp(self, serialized: bytearray, value: Any, shape: Any, key: Any) -> None:
        serialized.extend(self._get_initial_byte(self.TAG_MAJOR_TYPE, 1))
        seconds = value if isinstance(value, int | float) else value.timestamp()
        self._serialize_type_double(serialized, float(seconds), shape, key)


_writer = _Writer()


def write(value: dict[str, Any], shape: Shape | None) -> bytes:
    """The body of a response that carries a result."""
    if shape is None:
        return b""
    body: bytes = _writer._serialize_body_params(value, shape)
    return body


def write_error(error: AwsError, shape: Any = None) -> bytes:
    """The body of a response that carries an error; shape is the one that the model has for it, if it has one."""
    members = {} if shape is None else shape.members
    told = {"__type": error.code if shape is None else shape.name, _message(members): error.message, **error.fields}
    body = bytearray(_writer._get_initial_byte(_writer.MAP_MAJOR_TYPE, len(told)))
    for name, value in told.items():
        _writer._serialize_type_string(body, name, None, None)
        _writer._serialize_data_item(body, value, members.get(name, TEXT))
    return bytes(body)


def _message(members: Mapping[str, Any]) -> str:
    return next((name for name in members if name.lower() == "message"), "message")


TEXT = Shape("Text", {"type": "string"})
