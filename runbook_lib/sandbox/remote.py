"""A world that is served by another process: its clock and its clients."""

from __future__ import annotations

import http.client
import json
import os
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from runbook_lib.clock import Clock
from runbook_lib.errors import BadInput, Refused, RunbookError
from runbook_lib.sandbox import visiting
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.participants import CHILD_ID
from runbook_lib.sandbox.visiting import Found

CLOSED = (ConnectionResetError, http.client.RemoteDisconnected)
NOBODY = (ConnectionRefusedError, socket.gaierror)


class Line:
    """A connection to the control endpoints of a served world; kept open, opened again when it was closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise BadInput(
                where="sandbox URL", seen=repr(url), wanted="http://127.0.0.1:PORT", next_step="correct the URL"
            )
        self.url = url.rstrip("/")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def ask(self, name: str, content: Any = None, *, query: str = "") -> bytes:
        """Ask /_sandbox/NAME; with content it is posted as JSON."""
        body = None if content is None else json.dumps(content)
        for last in (False, True):
            try:
                self._connection.request("GET" if body is None else "POST", f"/_sandbox/{name}{query}", body)
                reply = self._connection.getresponse()
                return self._checked(name, reply.status, reply.read())
            except (*CLOSED, *NOBODY) as error:
                self._connection.close()
                # Only a connection that the server had closed before it saw the request is tried again.
                if last or isinstance(error, NOBODY):
                    raise BadInput(
                        where=self.url,
                        seen=f"no sandbox answers ({error})",
                        wanted="a served sandbox",
                        next_step="start it with: runbook sandbox serve",
                    ) from error
        raise AssertionError("unreachable")

    def _checked(self, name: str, status: int, body: bytes) -> bytes:
        if status != 200:
            raise _refused(status, body) or SandboxError(
                f"{self.url}/_sandbox/{name} answered {status}: {body.decode(errors='replace')}"
            )
        return body

    def visit(self, url: str) -> tuple[int | None, dict[str, str]]:
        """A GET at the address of a load balancer, with the server as the proxy."""
        try:
            self._connection.request("GET", url, headers={"Host": urlsplit(url).netloc})
            reply = self._connection.getresponse()
            reply.read()
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            return None, {}
        return reply.status, dict(reply.headers)

    def close(self) -> None:
        self._connection.close()


def _refused(status: int, body: bytes) -> RunbookError | None:
    """The error with which the server refused an order; None when it is another answer."""
    try:
        told = json.loads(body) if status == 400 else None
    except ValueError:
        return None
    if not isinstance(told, dict) or "refused" not in told:
        return None
    parts = told["refused"]
    kind = Refused if told["exit_code"] == Refused.exit_code else BadInput
    return kind(where=parts["where"], seen=parts["seen"], wanted=parts["wanted"], next_step=parts["next"])


class RemoteClock:
    """The clock of a served world. In a child of that world, sleeping is the child's."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._seen: float | None = None
        self._child = os.environ.get(CHILD_ID)

    def now(self) -> datetime:
        self._seen = self._status()["now"]
        return datetime.fromtimestamp(self._seen, UTC)

    def sleep(self, seconds: float) -> None:
        """Wait until that many seconds after the time last seen; at once when others moved time past it."""
        if seconds < 0:
            raise ValueError(f"seen: a wait of {seconds} seconds; wanted: 0 or more")
        if self._child:
            self._seen = float(self._line.ask("sleep", query=f"?seconds={seconds!r}&child={self._child}"))
            return
        since = self._status()["now"] if self._seen is None else self._seen
        self._seen = json.loads(self._line.ask("wait", {"until": since + seconds}))["now"]

    def idle(self) -> bool:
        return bool(self._status()["idle"])

    def _status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._line.ask("status"))
        return told


class RemoteSandbox:
    """A served world, with the same words as one in this process."""

    def __init__(self, url: str) -> None:
        self.line = Line(url)
        self._clock = RemoteClock(self.line)

    @property
    def clock(self) -> Clock:
        return self._clock

    def client(self, service: str, *, region: str | None = None, user_agent: str | None = None) -> Any:
        """A boto3 client that calls the served world; as the role of this child, or else as the operator."""
        from runbook_lib.sandbox import clients

        key = os.environ["AWS_ACCESS_KEY_ID"] if CHILD_ID in os.environ else clients.OPERATOR_KEY
        return clients.remote(
            service, url=self.line.url, region=region or self.status()["region"], key=key, user_agent=user_agent
        )

    def status(self) -> dict[str, Any]:
        """What can be said of the world at a glance; times are epoch seconds."""
        told: dict[str, Any] = json.loads(self.line.ask("status"))
        return told

    def visit(self, url: str) -> Found:
        """A GET at a load balancer's address, as a user makes it: status, headers and milliseconds.

        With live traffic it is a request over HTTP to where the listener is; else the server's model answers, and has
        no time of its own (None).  A status None says that nobody is there.
        """
        told = self.traffic()
        if told["traffic"] != "live":
            return *self.line.visit(url), None
        entrance = told["entrances"].get(visiting.listener_of(url))
        return visiting.get(entrance, url) if entrance else visiting.NOBODY

    def overview(self) -> dict[str, Any]:
        """What goes on in the world: deployments, pipelines, builds, services and alarms."""
        told: dict[str, Any] = json.loads(self.line.ask("overview"))
        return told

    def traffic(self) -> dict[str, Any]:
        """What came of the live traffic: addresses, processes, and the load's counts, failures and latencies."""
        told: dict[str, Any] = json.loads(self.line.ask("traffic"))
        return told

    def save(self) -> None:
        """Have the server save the world into its state file."""
        self.line.ask("save", {})

    def reset(self) -> None:
        """Have the world begin anew."""
        self.line.ask("reset", {})

    def stop(self) -> None:
        """Have the server save the world and end."""
        self.line.ask("stop", {})

    def close(self) -> None:
        """Leave the world; it goes on being served."""
        self.line.close()


def connect(url: str) -> RemoteSandbox:
    """The world that is served at a URL; refused when nothing answers there."""
    sandbox = RemoteSandbox(url)
    try:
        sandbox.status()
    except (SandboxError, http.client.HTTPException, ValueError) as error:
        raise BadInput(
            where=url,
            seen=f"what answers there is no sandbox ({str(error)[:200]})",
            wanted="a served sandbox",
            next_step="correct the URL, or start one with: runbook sandbox serve",
        ) from error
    return sandbox
