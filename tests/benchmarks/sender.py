"""Send real HTTP requests over connections that stay open, as fast as they are answered and as many as are allowed.

python tests/benchmarks/sender.py URL FILE    FILE holds two numbers of 8 bytes: how many requests may be sent, set by
                                              who started it, and how many were answered, set here

At SIGTERM it ends what has begun and prints JSON: answers by status and by version, and failures by what they were.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import signal
import struct
import sys
from collections import Counter
from urllib.parse import urlsplit

LINES = 32  # connections
AGAIN = 0.002  # seconds until a connection asks again whether it may send
NUMBER = struct.Struct("<Q")
ALLOWED, ANSWERED = 0, 8  # where the numbers stand


class Sending:
    """What all connections share."""

    def __init__(self, shared: mmap.mmap, request: bytes) -> None:
        self.shared, self.request = shared, request
        self.sent, self.answered, self.over = 0, 0, False
        self.statuses, self.versions, self.failures = Counter[str](), Counter[str](), Counter[str]()

    def may_send(self) -> bool:
        """Whether another request is allowed now."""
        return not self.over and self.sent < NUMBER.unpack_from(self.shared, ALLOWED)[0]

    def count(self, status: str, version: str) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        self.versions[version] += 1
        self.answered += 1
        NUMBER.pack_into(self.shared, ANSWERED, self.answered)


class Line(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self, sending: Sending) -> None:
        self.sending, self.rest, self.open, self.gone = sending, b"", False, asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        """Send, or ask again soon."""
        if self.sending.may_send():
            self.sending.sent += 1
            self.open = True
            self.transport.write(self.sending.request)
        elif self.sending.over:
            self.transport.close()
        else:
            asyncio.get_running_loop().call_later(AGAIN, self.send)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if len(body) < int(told.get("content-length", "0")):
            return
        self.rest, self.open = b"", False
        self.sending.count(lines[0].split(" ")[1], told.get("x-version", ""))
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.open:
            self.sending.failures[type(error).__name__ if error else "closed without an answer"] += 1
        self.gone.set()


async def keep(sending: Sending, host: str, port: int) -> None:
    """Keep a connection open until all is over."""
    while not sending.over:
        try:
            _, line = await asyncio.get_running_loop().create_connection(lambda: Line(sending), host, port)
        except OSError as error:
            sending.failures[type(error).__name__] += 1
            await asyncio.sleep(0.1)
            continue
        await line.gone.wait()


async def main(url: str, path: str) -> None:
    """Send until SIGTERM."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    request = f"GET /orders HTTP/1.1\r\nHost: {host}\r\nUser-Agent: runbook-bench\r\n\r\n".encode()
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 16) as shared:
        sending = Sending(shared, request)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(sending, "over", True))
        await asyncio.gather(*(keep(sending, host, port) for _ in range(LINES)))
    told = {"statuses": sending.statuses, "versions": sending.versions, "failures": sending.failures}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
