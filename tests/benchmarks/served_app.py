"""The application of the live benchmarks, as small as real HTTP allows: what is measured is what stands before it."""

from __future__ import annotations

import asyncio
import os
import signal

BODY = b"[]"


class Answering(asyncio.Protocol):
    """One connection, kept open; a request is answered as soon as its head is there."""

    answer = b""

    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        self.transport.write(self.answer * len(heads))


async def main():
    """Serve until SIGTERM; what was asked before it is answered."""
    version = os.environ.get("APP_VERSION", "1.0.0")
    lines = (
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        f"X-Version: {version}",
    )
    Answering.answer = "\r\n".join((*lines, "", "")).encode() + BODY
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(Answering, "127.0.0.1", int(os.environ["PORT"]), backlog=256)
    await over.wait()
    server.close()
    await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main())
