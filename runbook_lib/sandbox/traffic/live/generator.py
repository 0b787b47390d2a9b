"""Sends requests at a constant rate whatever becomes of them (an open loop); a program of its own.

    python generator.py --url http://127.0.0.1:20001/ --rate 100 --into FILE

Every request is sent at its due time, however many are outstanding, and its latency counts from then: an answer that
is slow delays nobody else and hides nothing.  FILE gets a JSON list a request: due time (epoch seconds), latency in
milliseconds, status (0: none), what went wrong (or ""), and the version that answered (its header X-Version).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 10.0  # seconds until an answer counts as failed
WRITTEN_EVERY = 0.2  # seconds
FAR_BEHIND = 2.0  # seconds: a machine that slept does not send what it missed in one burst
LIMIT = 1 << 20


@dataclass
class Line:
    """A connection that is kept open."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass
class Generator:
    """What is sent where, and what came of it since it was last written down."""

    host: str
    port: int
    path: str
    rate: float
    into: Path
    idle: list[Line] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    number: int = 0

    async def run(self) -> None:
        """Send for ever."""
        loop = asyncio.get_running_loop()
        start, count = loop.time(), 0
        while True:
            due = start + count / self.rate
            late = loop.time() - due
            if late < 0:
                await asyncio.sleep(-late)
            elif late > FAR_BEHIND:
                start += late
                due += late
            task = loop.create_task(self._request(due))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            count += 1

    async def _request(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        status, trouble, version = 0, "", ""
        try:
            async with asyncio.timeout(PATIENCE):
                status, version = await self._exchange()
        except TimeoutError:
            trouble = "timed out"
        except ConnectionRefusedError:
            trouble = "refused"
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            trouble = type(error).__name__
        now = loop.time()
        latency = round((now - due) * 1000, 1)
        self.done.append(json.dumps([round(time.time() - (now - due), 4), latency, status, trouble, version]))

    async def _exchange(self) -> tuple[int, str]:
        """One request; over a kept connection that was closed meanwhile it is sent once more over a new one."""
        line = self.idle.pop() if self.idle else None
        if line is not None:
            try:
                return await self._over(line)
            except (ConnectionError, asyncio.IncompleteReadError):
                line.writer.close()
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=LIMIT)
        return await self._over(Line(reader, writer))

    async def _over(self, line: Line) -> tuple[int, str]:
        self.number += 1
        trace = f"Root=1-{int(time.time()):08x}-{self.number:024x}"
        line.writer.write(
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: runbook-load\r\n"
            f"X-Amzn-Trace-Id: {trace}\r\n\r\n".encode()
        )
        try:
            head = (await line.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in head[1:])}
            await self._body(line, headers)
        except BaseException:
            line.writer.close()
            raise
        if headers.get("connection", "").lower() == "close":
            line.writer.close()
        else:
            self.idle.append(line)
        return int(head[0].split(" ")[1]), headers.get("x-version", "")

    async def _body(self, line: Line, headers: dict[str, str]) -> None:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            await line.reader.readexactly(int(headers.get("content-length", "0")))
            return
        while size := int((await line.reader.readline()).split(b";")[0], 16):
            await line.reader.readexactly(size + 2)
        await line.reader.readline()

    def write(self) -> None:
        """Write down what was done since the last time."""
        done, self.done = self.done, []
        if done:
            with self.into.open("a") as file:  # opened each time: the file may have been moved away
                file.write("".join(f"{one}\n" for one in done))


async def main(arguments: list[str]) -> None:
    """Send until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--into", type=Path, required=True)
    asked = parser.parse_args(arguments)
    url = urlsplit(asked.url)
    generator = Generator(url.hostname or "127.0.0.1", url.port or 80, url.path or "/", asked.rate, asked.into)
    running = asyncio.ensure_future(generator.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    while not running.done():
        await asyncio.wait([running], timeout=WRITTEN_EVERY)
        generator.write()
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
