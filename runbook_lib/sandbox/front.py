"""The listener on loopback: its threads only carry requests to the one owner of the world and answers back."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from runbook_lib.errors import BadInput

LOOPBACK = "127.0.0.1"
NO_BODY = (204, 304)

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Ticket:
    """A request that waits for the owner of the world to answer it."""

    method: str
    target: str  # path and query, as they came
    headers: dict[str, str]
    body: bytes
    from_child: bool = False  # whether a child process of the world sent it
    answer: Future[Reply] = field(default_factory=Future)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """Whom it is meant for: a proxy is asked for a whole URL."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return urlsplit(self.target).netloc or headers.get("host", "")

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


Inbox = queue.SimpleQueue[Any]


class Front:
    """Listens on 127.0.0.1 and puts what comes into an inbox; what comes before open() waits on its connection."""

    def __init__(self, inbox: Inbox, *, port: int = 0, for_children: bool = False) -> None:
        self._server = _bound(port)
        self._server.inbox, self._server.for_children = inbox, for_children
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def open(self) -> Front:
        """Begin to take requests."""
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening; requests that are not answered yet are dropped."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _bound(port: int) -> _Server:
    try:
        return _Server((LOOPBACK, port), _Handler)
    except (OSError, OverflowError) as error:  # OverflowError: there is no such port
        why = error.strerror if isinstance(error, OSError) else "ports go from 0 to 65535"
        raise BadInput(
            where=f"port {port}",
            seen=f"it cannot be listened on ({why})",
            wanted=f"a free port of {LOOPBACK}",
            next_step="choose another with --port, or 0 for any free one",
        ) from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    inbox: Inbox
    for_children: bool

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"
    server: _Server

    def _serve(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.send_error(400, "The length of the body or of a chunk of it is no number")
            return
        headers = dict(self.headers.items())
        ticket = Ticket(self.command, self.path, headers, body, from_child=self.server.for_children)
        self.server.inbox.put(ticket)
        self._send(*ticket.answer.result())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _serve

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come; what is written waits for the end of the answer otherwise."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            content = b"".join(iter(self._chunk, b""))
            while self.rfile.readline().strip():
                """Trailers end with an empty line; none of HTTP's own matters here."""
            return content
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        if size:
            self.rfile.readline()
        return data

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers.items():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = str(value)
            elif name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, str(value))
        if status not in NO_BODY:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
