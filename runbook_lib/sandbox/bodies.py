"""Bodies of requests as they were before the SDK packed them: compressed, or in signed chunks with trailers.

Sources: Smithy specification, requestCompression trait; S3 API reference, sigv4-streaming and sigv4-streaming-trailers,
and S3 user guide, checking-object-integrity.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable
from typing import Any

from runbook_lib.sandbox.errors import AwsError

CHUNKED, GZIP = "aws-chunked", "gzip"
END = b"\r\n"
# What S3 can be asked to check and Python can compute; the sums of CRC32C and CRC64NVME are taken at their word.
CHECKS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}
OF_CHUNKS = ("x-amz-decoded-content-length", "x-amz-trailer")


def plain(headers: dict[str, str], body: bytes, *, service: str) -> tuple[dict[str, str], bytes]:
    """Headers and body as if nothing had been packed; how an object of S3 itself is encoded stays as it is."""
    codings = [each.strip() for each in _header(headers, "Content-Encoding").split(",") if each.strip()]
    if CHUNKED in codings or _header(headers, "x-amz-content-sha256").startswith("STREAMING-"):
        body, trailers = unchunked(body, wanted=_header(headers, "x-amz-decoded-content-length"))
        headers = _without(headers, *OF_CHUNKS) | trailers | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        _check(headers, body)
        return _encoded(headers, body, [each for each in codings if each != CHUNKED]), body
    if codings == [GZIP] and service != "s3":
        body = _unzipped(body)
        return _encoded(headers, body, []), body
    return headers, body


def unchunked(body: bytes, *, wanted: str = "") -> tuple[bytes, dict[str, str]]:
    """The content of a body in chunks, and its trailers; wanted is the length that was promised."""
    content, rest = bytearray(), body
    while True:
        size, rest = _size(rest)
        if not size:
            break
        content += rest[:size]
        rest = rest[size:].removeprefix(END)
    if wanted and wanted != str(len(content)):
        raise _incomplete()
    return bytes(content), _trailers(rest)


def _size(rest: bytes) -> tuple[int, bytes]:
    line, ending, rest = rest.partition(END)
    try:
        size = int(line.split(b";")[0], 16)
    except ValueError as error:
        raise _incomplete() from error
    if not ending or size > len(rest):
        raise _incomplete()
    return size, rest


def _trailers(rest: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in rest.decode("latin-1").splitlines() if line.strip()]
    told = {name.strip().lower(): value.strip() for name, _, value in lines}
    return {name: value for name, value in told.items() if name != "x-amz-trailer-signature"}


def _incomplete() -> AwsError:
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header."
    return AwsError("IncompleteBody", text)


def _check(headers: dict[str, str], body: bytes) -> None:
    for name, sum_of in CHECKS.items():
        told = _header(headers, name)
        if told and told != base64.b64encode(sum_of(body)).decode():
            kind = name.rpartition("-")[2].upper()
            raise AwsError("BadDigest", f"The {kind} you specified did not match the calculated checksum.")


def _unzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise AwsError("SerializationException", f"The body of the request is not in gzip: {error}") from error


def _encoded(headers: dict[str, str], body: bytes, codings: list[str]) -> dict[str, str]:
    kept = _without(headers, "Content-Encoding", "Content-Length") | {"Content-Length": str(len(body))}
    return kept | ({"Content-Encoding": ", ".join(codings)} if codings else {})


def _header(headers: dict[str, str], name: str) -> str:
    return next((_text(value) for key, value in headers.items() if key.lower() == name.lower()), "")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _without(headers: dict[str, str], *names: str) -> dict[str, str]:
    gone = {name.lower() for name in names}
    return {name: value for name, value in headers.items() if name.lower() not in gone}
