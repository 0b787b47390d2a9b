"""A process that has read the AWS CLI already and forks itself for every command: a start costs milliseconds.

It listens on a socket in a folder of its own, answers one client after the other, and ends with its owner.
Started as a module: python -m runbook_lib.sandbox.shims.zygote SOCKET, with a pipe of its owner as standard input.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.sandbox.shims import awscli, timing
from runbook_lib.sandbox.shims.docker import command as docker
from runbook_lib.sandbox.shims.seat import Terminal, load
from runbook_lib.sandbox.shims.wire import MARK, Wire

READY = b"ready\n"
BROKEN = 70

Run = Callable[[Wire, Terminal, list[str]], int]


COMMANDS: dict[str, Run] = {"aws": awscli.run, "docker": docker.main, "sleep": timing.sleep, "date": timing.date}


@dataclass(frozen=True)
class Order:
    """One command line with the descriptors of its client."""

    root: str
    command: str
    arguments: list[str]
    directory: str
    environment: dict[str, str]
    streams: list[int]


def serve(path: str) -> None:
    """Fork for every client until standard input is closed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    awscli.warm_loader()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    # An interrupt at the keyboard, or of a kernel, is meant for the owner: its end closes our standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(1, READY)
    _Loop(listener, ended).run()
    # An owner that was ended without a word has not taken the folder away.
    shutil.rmtree(os.path.dirname(path), ignore_errors=True)


class _Loop:
    """The clients that wait for their commands to end."""

    def __init__(self, listener: socket.socket, ended: int) -> None:
        self.listener, self.ended = listener, ended
        self.running: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        for source in (listener, ended, 0):
            self.selector.register(source, selectors.EVENT_READ)

    def run(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == 0:
                    return self._end_all()
                if key.fileobj == self.ended:
                    os.read(self.ended, 4096)
                    self._reap()
                elif key.fileobj is self.listener:
                    self._start(self.listener.accept()[0])
                else:
                    self._client_is_gone(key.data)

    def _start(self, connection: socket.socket) -> None:
        order = _receive(connection)
        if order is None:
            connection.close()
            return
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            connection.close()
            self.listener.close()
            os._exit(_run(order))
        for number in order.streams:
            os.close(number)
        self.running[child] = connection
        self.selector.register(connection, selectors.EVENT_READ, child)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                connection = self.running.pop(found[0], None)
                if connection is not None:
                    self._tell(connection, os.waitstatus_to_exitcode(found[1]))

    def _tell(self, connection: socket.socket, code: int) -> None:
        self.selector.unregister(connection)
        with contextlib.suppress(OSError), connection:
            connection.sendall(bytes([code if code >= 0 else 128 - code]))

    def _client_is_gone(self, child: int) -> None:
        connection = self.running.pop(child, None)
        if connection is not None:
            self.selector.unregister(connection)
            connection.close()
            os.kill(child, signal.SIGKILL)

    def _end_all(self) -> None:
        for child in self.running:
            os.kill(child, signal.SIGKILL)


def _receive(connection: socket.socket) -> Order | None:
    """What a client orders; None when it was ended before it had said so."""
    head, streams, _, _ = socket.recv_fds(connection, 8, 4)
    left, content = int.from_bytes(head, "big"), b""
    while len(content) < left:
        piece = connection.recv(left - len(content))
        if not piece:
            break
        content += piece
    if not left or len(content) < left:
        for number in streams:
            os.close(number)
        return None
    root, command, arguments, directory, environment = marshal.loads(content)
    return Order(root, command, arguments, directory, environment, streams)


def _run(order: Order) -> int:
    """In the forked process: become the command."""
    for number, stream in enumerate(order.streams):
        os.dup2(stream, number if number < 3 else MARK)
    os.chdir(order.directory)
    os.umask(0o022)
    seat = load(order.root)
    os.environ.clear()
    os.environ.update({**order.environment, **_aws_variables(seat.door)})
    for number, mode in enumerate("rww"):
        setattr(sys, ("stdin", "stdout", "stderr")[number], _stream(number, mode))
    terminal = Terminal(Path(order.directory), order.environment, sys.stdin, sys.stdout, sys.stderr)
    code = _carefully(COMMANDS[order.command], Wire(seat), terminal, order.arguments)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _carefully(run: Run, wire: Wire, terminal: Terminal, arguments: list[str]) -> int:
    try:
        return run(wire, terminal, arguments)
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except Exception:  # noqa: BLE001 - the forked process must end here, and say why
        import traceback

        traceback.print_exc(file=terminal.stderr)
        return BROKEN


def _stream(number: int, mode: str) -> Any:
    # Line by line, so that what goes to the output and what goes to the errors keeps its order.
    return open(number, mode, encoding="utf-8", errors="surrogateescape", buffering=1, closefd=False)


def _aws_variables(door: dict[str, str]) -> dict[str, str]:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    known = {key: door[key] for key in keys}
    return {**known, "AWS_ENDPOINT_URL": door["RUNBOOK_SANDBOX_URL"], "AWS_EC2_METADATA_DISABLED": "true"}


if __name__ == "__main__":
    serve(sys.argv[1])
