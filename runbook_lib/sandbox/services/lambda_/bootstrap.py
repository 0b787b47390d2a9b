"""The process in which a function runs: the runtime of AWS Lambda for Python, in the world's time and network.

Started alone, as a script, with the folder of one invocation as its argument; it knows only the standard library.
job.json says what to run, result.json what came of it.  Whatever it writes is one record a line; a line that begins
with NOTE tells the world's time.  Source: aws/aws-lambda-python-runtime-interface-client, awslambdaric/bootstrap.py.
"""

from __future__ import annotations

import datetime
import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

NOTE, INNER_LINE = "\x1e", "\x1f"
INDENT = "\u00a0\u00a0"  # Lambda's own, in the lines of a traceback
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
RESOLVE = "/_resolve"


class Fault(Exception):
    """The runtime cannot run the handler."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, trace or []


class Clock:
    """The world's time; what sleeps either waits in the world or only counts what it slept."""

    def __init__(self, job: dict[str, Any], ask: Callable[[str], str]) -> None:
        self.now = self.began = float(job["now"])
        self.waits, self.child, self._ask = job["waits"], os.environ["RUNBOOK_SANDBOX_CHILD"], ask
        self.ends = self.began + job["timeout"]

    def sleep(self, seconds: float) -> None:
        """time.sleep: nobody may sleep longer than the function's time-out lets it."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        if self.waits:
            # The world ends who sleeps beyond the time-out, when that time has come.
            self.now = float(self._ask(f"/_sandbox/sleep?seconds={seconds}&child={self.child}"))
        elif self.now + seconds >= self.ends:
            self.now = self.ends
            end({"timed_out": True, "slept": self.ends - self.began})
        else:
            self.now += seconds
        note(self.now)

    @property
    def slept(self) -> float:
        """Seconds of the world that the function has lasted so far."""
        return self.now - self.began


class Context:
    """The context object of a handler (Lambda developer guide, python-context)."""

    identity = None
    client_context = None

    def __init__(self, job: dict[str, Any], clock: Clock) -> None:
        self.aws_request_id, self.function_name = job["request_id"], job["name"]
        self.function_version, self.invoked_function_arn = job["version"], job["arn"]
        self.memory_limit_in_mb = str(job["memory"])
        self.log_group_name, self.log_stream_name = job["log_group"], job["log_stream"]
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """What is left until the time-out."""
        return max(0, round((self._clock.ends - self._clock.now) * 1000))

    def log(self, message: object) -> None:
        """A line in the function's log."""
        record(str(message))


def main(folder: str) -> None:
    """Run one invocation and leave its result."""
    job = json.loads(Path(folder, "job.json").read_text())
    end.folder = folder
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    door = os.environ["RUNBOOK_SANDBOX_URL"]
    clock = Clock(job, lambda path: _get(door + path))
    _settle(job, door)
    _tell_time(clock)
    _tell_names(door, job["entrance"])
    _log(job["request_id"])
    result = _outcome(job, Context(job, clock))
    end({**result, "slept": clock.slept})


class _End:
    """Leaves the result and ends the process, whatever else runs in it."""

    folder = ""

    def __call__(self, result: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        Path(self.folder, "result.json").write_text(json.dumps(result))
        os._exit(0)


end = _End()


# ---- the handler


def _outcome(job: dict[str, Any], context: Context) -> dict[str, Any]:
    try:
        handler = _handler(job["handler"])
        return {"payload": _marshalled(handler(_event(job["event"]), context))}
    except Fault as fault:
        return _failed(job, fault.kind, fault.message, fault.trace)
    except Exception as error:  # noqa: BLE001 - it is the function's own, and its caller is told
        return _failed(job, type(error).__name__, str(error), _trace(error))


def _handler(name: str) -> Callable[[Any, Context], Any]:
    module, _, function = name.rpartition(".")
    if not module:
        why = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {why}")
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        text = f"Syntax error in module '{module}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", text, trace) from error
    try:
        handler: Callable[[Any, Context], Any] = getattr(found, function)
    except AttributeError as error:
        text = f"Handler '{function}' missing on module '{module}'"
        raise Fault("Runtime.HandlerNotFound", text) from error
    return handler


def _event(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _marshalled(answer: Any) -> str:
    try:
        return json.dumps(answer, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _trace(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [line for line in traceback.format_list([each for each in frames if each.filename != __file__])]


def _failed(job: dict[str, Any], kind: str, message: str, trace: list[str]) -> dict[str, Any]:
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines += [INDENT + line.strip() for entry in trace for line in entry.splitlines()]
    record("\n".join(lines))
    told = {"errorMessage": message, "errorType": kind, "requestId": job["request_id"], "stackTrace": trace}
    return {"payload": json.dumps(told), "error": kind}


# ---- the surroundings


def _settle(job: dict[str, Any], door: str) -> None:
    """The function's own variables and modules, and nothing else of this process."""
    found = {name: os.environ[name] for name in CREDENTIALS}
    os.environ.clear()
    os.environ.update({**job["environment"], **found, "AWS_ENDPOINT_URL": door + job["entrance"]})
    sys.path[:0] = job["path"]
    sys.argv = [""]


def _get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return str(answer.read().decode()).strip()


def note(now: float) -> None:
    """Say what time it is in the world for the lines that follow."""
    sys.stdout.write(f"{NOTE}{now:.3f}\n")


def record(text: str) -> None:
    """One record of the log, however many lines it has."""
    sys.stdout.write(text.rstrip("\n").replace("\n", INNER_LINE) + "\n")


class _Records(logging.Handler):
    """Where logging goes to in Lambda."""

    def emit(self, entry: logging.LogRecord) -> None:
        record(self.format(entry))


class _WithRequest(logging.Filter):
    """Gives every record the id of the request."""

    def __init__(self, request_id: str) -> None:
        super().__init__()
        self.request_id = request_id

    def filter(self, entry: logging.LogRecord) -> bool:
        entry.aws_request_id = self.request_id
        return True


def _log(request_id: str) -> None:
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = _Records()
    handler.setFormatter(formatter)
    handler.addFilter(_WithRequest(request_id))
    logging.getLogger().addHandler(handler)


def _tell_time(clock: Clock) -> None:
    """Let everything that the function imports live in the world's time."""

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, cls.__mro__[1])

    class Moment(datetime.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(clock.now, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(clock.now, datetime.UTC).replace(tzinfo=None)

    class Day(datetime.date, metaclass=Kind):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock.now)

    datetime.datetime, datetime.date = Moment, Day  # type: ignore[misc]
    monotonic = time.monotonic
    time.sleep = clock.sleep  # type: ignore[assignment]
    time.time, time.time_ns = lambda: clock.now, lambda: round(clock.now * 1e9)
    # Who waits for a while by these, without time.sleep, must see the end of it: they go on with the wall, too.
    time.monotonic = time.perf_counter = lambda: clock.now + monotonic()


def _tell_names(door: str, entrance: str) -> None:
    """Let the names of load balancers lead to the world's door; there is no other network."""
    here = urlsplit(door)
    known = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name == here.hostname and port == here.port:
            return known(host, port, *more, **named)
        answer = _get(f"{door}{entrance}{RESOLVE}?name={quote(name)}&port={port}")
        if answer != "here":
            raise {"unknown": _no_name, "refused": _refused}[answer](name, port)
        return known(here.hostname, here.port, *more, **named)

    socket.getaddrinfo = getaddrinfo


def _no_name(name: str, port: Any) -> OSError:
    return socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {name} (it is no load balancer's)")


def _refused(name: str, port: Any) -> OSError:
    return ConnectionRefusedError(111, f"Connection refused: {name} has no plain HTTP listener on port {port}")


if __name__ == "__main__":
    main(sys.argv[1])
