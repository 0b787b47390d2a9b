"""The one way in which a child's commands speak to the world: every exchange is written down, in order.

What was written down of a former run can be laid before a new one: as long as the child asks the same, it is
answered from there and the world is not asked again.  So a build can be played back, and taken up in its middle.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runbook_lib.sandbox.shims.seat import Seat

LOG, BEFORE, TAKEN, LOCK = "wire.log", "wire.before", "wire.taken", "wire.lock"
MARK = 63  # the descriptor on which a phase writes its marks, where there is one
KEPT_HEADERS = ("authorization", "content-type", "content-encoding", "x-amz-", "range", "if-")

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Reply:
    """An answer of the world."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; the path begins with /_sandbox/ where the world itself was asked."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reply: Reply = field(default_factory=lambda: Reply(200, {}, b""))

    def asks_the_same(self, other: Exchange) -> bool:
        """Whether another exchange is the same question."""
        return self._question() == other._question()

    def _question(self) -> tuple[str, str, bytes, str | None]:
        return self.method, self.target, self.body, self.headers.get("X-Amz-Target")

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        reply = {**vars(self.reply), "body": _text(self.reply.body)}
        return {**vars(self), "body": _text(self.body), "reply": reply}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Exchange:
        """From plain data."""
        reply = Reply(**{**stored["reply"], "body": base64.b64decode(stored["reply"]["body"])})
        return cls(**{**stored, "body": base64.b64decode(stored["body"]), "reply": reply})


class Wire:
    """The exchanges of the child that sits in a folder."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer of the world, or of the run that is played back."""
        asked = Exchange(method, target, _kept(headers), body)
        known = self._taken_from_before(asked)
        if known is not None:
            return known.reply
        reply = self._sent(asked)
        with self._locked():
            _append(self.seat.folder / LOG, Exchange(**{**vars(asked), "reply": reply}))
        return reply

    def now(self) -> float:
        """The world's time."""
        return float(self.ask("GET", "/_sandbox/now", {}, b"").body)

    def sleep(self, seconds: float) -> None:
        """Wait in the world."""
        child = self.seat.door["RUNBOOK_SANDBOX_CHILD"]
        reply = self.ask("GET", f"/_sandbox/sleep?seconds={seconds}", {"X-Child": child}, b"")
        _mark(f"now {reply.body.decode().strip()}")

    def _sent(self, asked: Exchange) -> Reply:
        door = self.seat.door
        target = asked.target
        if target.startswith("/_sandbox/sleep"):
            target += f"&child={door['RUNBOOK_SANDBOX_CHILD']}"
        elif not target.startswith("/_sandbox/"):
            target = self.seat.entrance + target
        # Without a type urllib would call the body a form, and S3 would store nothing; this is what S3 takes it for.
        headers = {"Content-Type": "binary/octet-stream", **asked.headers, "Accept-Encoding": "identity"}
        url = door["RUNBOOK_SANDBOX_URL"] + target
        request = urllib.request.Request(url, asked.body or None, headers, method=asked.method)
        try:
            with NO_PROXY.open(request) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def _taken_from_before(self, asked: Exchange) -> Exchange | None:
        before = self.seat.folder / BEFORE
        if not before.exists():
            return None
        with self._locked():
            taken_file = self.seat.folder / TAKEN
            taken = set(json.loads(taken_file.read_text())) if taken_file.exists() else set()
            for number, known in enumerate(read(before)):
                if number not in taken and known.asks_the_same(asked):
                    taken_file.write_text(json.dumps(sorted({*taken, number})))
                    _append(self.seat.folder / LOG, known)
                    return known
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.seat.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read(path: Path) -> list[Exchange]:
    """The exchanges in a file."""
    if not path.exists():
        return []
    return [Exchange.from_json(json.loads(line)) for line in path.read_text().splitlines()]


def lay_before(seat: Seat, exchanges: Iterable[Exchange]) -> None:
    """Let the coming commands be answered from there as long as they ask the same."""
    for known in exchanges:
        _append(seat.folder / BEFORE, known)


def forget_before(seat: Seat) -> None:
    """Let the world answer from now on."""
    for name in (BEFORE, TAKEN):
        (seat.folder / name).unlink(missing_ok=True)


def target_of(url: str) -> str:
    """Path and query of a URL."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _append(path: Path, exchange: Exchange) -> None:
    with path.open("a") as file:
        file.write(json.dumps(exchange.to_json()) + "\n")


def _kept(headers: dict[str, str]) -> dict[str, str]:
    # What says who asks for what; the rest (user agent, lengths, ids of this very attempt) would differ every time.
    return {name: str(value) for name, value in headers.items() if name.lower().startswith(KEPT_HEADERS)}


def _mark(text: str) -> None:
    try:
        os.write(MARK, f"\x1e{text}\n".encode())
    except OSError:
        return  # nobody follows this child's marks


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


Ask = Callable[[str, str, dict[str, str], bytes], Reply]
