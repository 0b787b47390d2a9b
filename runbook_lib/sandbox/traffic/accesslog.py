"""The access log of a load balancer: a line for each request, and what a file of it holds.

Source: ELB user guide, load-balancer-access-logs: 34 fields, the names of the files, one file a node every five
minutes, whose name tells the end of the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import Tally

if TYPE_CHECKING:
    from runbook_lib.sandbox.traffic.logfile import Modelled

INTERVAL = 300
MICRO = 1_000_000
LONGEST_AGENT = 8192  # bytes of a user agent that a line holds
ENCRYPTED = ("https", "h2", "wss", "grpcs")
CIPHER, TLS = "TLS_AES_128_GCM_SHA256", "TLSv1.3"  # what a client of today and the default policy agree on
Seen = tuple[Record, str, str]  # a request, the zone of its node, and what its rule did


class Caller(Protocol):
    """Who asked: the client of the connection, and the trace of the request."""

    @property
    def client(self) -> str: ...

    @property
    def trace(self) -> str: ...


@dataclass(frozen=True)
class Front:
    """A listener as the users of a modelled load balancer see it."""

    listener: str  # ARN
    kind: str  # http or https
    host: str
    port: int


@dataclass(frozen=True)
class Minute:
    """A minute of modelled requests, of which the lines are still to be made."""

    start: int
    front: Front
    tally: Tally


@dataclass(frozen=True, slots=True)
class Written:
    """The line of a request that was seen: when it ended, and in the zone of which node."""

    ended: float
    zone: str
    line: str


@dataclass
class Interval:
    """What will stand in the files of an interval."""

    minutes: list[Minute] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)


@dataclass(frozen=True)
class Origin:
    """The node that writes a file: of which load balancer (app/name/id), where, and with which certificates."""

    elb: str
    zone: str
    ip: str
    certificates: Mapping[str, str]  # ARN of the listener -> of its default certificate


@dataclass(frozen=True)
class File:
    """A file that is delivered at a time; the lines of modelled requests are made when somebody reads it."""

    balancer: str  # ARN
    bucket: str
    key: str
    delivered: float
    body: bytes | Modelled


def key_of(balancer: str, prefix: str, end: int, ip: str, *, random: str) -> str:
    """The key of the file that a node writes of the interval that ends then."""
    _, _, _, region, account, name = balancer.split(":", 5)
    day, stamp = _moment(end, "%Y/%m/%d"), _moment(end, "%Y%m%dT%H%MZ")
    elb = name.partition("/")[2].replace("/", ".")
    file = f"{account}_elasticloadbalancing_{region}_{elb}_{stamp}_{ip}_{random}.log.gz"
    return f"{folder(prefix, account)}/elasticloadbalancing/{region}/{day}/{file}"


def folder(prefix: str, account: str) -> str:
    """The folder of an account in a bucket of logs."""
    return f"{prefix.strip('/')}/AWSLogs/{account}".lstrip("/")


def _moment(at: int, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def line(record: Record, action: str, origin: Origin) -> str:
    """The line of a request."""
    ended, began = round(record.ended * MICRO), round(record.began * MICRO)
    return filled(form(record, action, origin), (ended, began, took(record.target_processing)), record, origin.elb)


def form(record: Record, action: str, origin: Origin) -> str:
    """The line with holes for what differs between requests that are otherwise alike."""
    target, code = record.target or "-", record.target_status or "-"
    encrypted = record.kind in ENCRYPTED
    certificate = origin.certificates.get(record.listener, "-") if encrypted else "-"
    domain = (urlsplit(record.url).hostname or "-") if encrypted else "-"
    request = quoted(f"{record.method} {record.url} {record.protocol}")
    return (
        f"{record.kind} {{ended}} {origin.elb} {{client}} {target} "
        f"{took(record.request_processing)} {{took}} {took(record.response_processing)} "
        f"{record.status or '-'} {code} {record.received_bytes} {record.sent_bytes} "
        f'"{_whole(request)}" "{_whole(quoted(record.user_agent[:LONGEST_AGENT]))}" '
        f"{CIPHER if encrypted else '-'} {TLS if encrypted else '-'} {record.group or '-'} "
        f'"{{trace}}" "{domain}" "{certificate}" {record.rule_priority} {{began}} '
        f'"{action}" "-" "-" "{target}" "{code}" "-" "-" {{connection}} "-" "-" "-" {origin.ip}'
    )


def filled(form: str, times: tuple[int, int, str], caller: Caller, elb: str) -> str:
    """The line of one request: when it ended and began in microseconds, how long the target took, and who asked."""
    ended, began, seconds = times
    connection = f"TID_{blake2b(f'{elb}/{caller.client}'.encode(), digest_size=16).hexdigest()}"
    return form.format(
        ended=_time(ended),
        began=_time(began),
        took=seconds,
        client=caller.client,
        trace=quoted(caller.trace),
        connection=connection,
    )


def _whole(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def took(seconds: float | None) -> str:
    """A duration as a line tells it: in seconds, -1 when it did not come to that."""
    return "-1" if seconds is None else f"{seconds:.3f}"


def _time(micro: int) -> str:
    seconds, rest = divmod(micro, MICRO)
    minute, second = divmod(seconds, 60)
    return f"{_minute(minute)}:{second:02d}.{rest:06d}Z"


@lru_cache(maxsize=64)
def _minute(number: int) -> str:
    return _moment(number * 60, "%Y-%m-%dT%H:%M")


def quoted(text: str) -> str:
    """Text that may stand between quotes: what would end them or the line is written as \\xHH."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(chr(byte) if _plain(byte) else f"\\x{byte:02X}" for byte in text.encode())


def _plain(byte: int) -> bool:
    return 32 <= byte < 127 and byte not in b'"\\'
