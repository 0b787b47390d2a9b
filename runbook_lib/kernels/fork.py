"""This side of the warm process: start it, ask it for kernels, watch them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.kernels.zygote import LARGEST, LAUNCHER

# OpenBLAS would start threads at import, and a process with threads must not fork; pydevd would print a warning.
QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
START = 60.0  # seconds that the warm process may take to import its libraries


class Cold(Exception):
    """No warm kernel is to be had; the text says why."""


@dataclass
class ForkedKernel:
    """A kernel that the warm process forked, with the part of subprocess.Popen that jupyter_client uses."""

    pid: int
    lifeline: socket.socket
    returncode: int | None = None
    stdin: None = None
    stdout: None = None
    stderr: None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._hear(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until it has ended; raises TimeoutError after `timeout` seconds."""
        if self.returncode is None:
            self._hear(timeout=timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _hear(self, *, timeout: float | None) -> None:
        self.lifeline.settimeout(timeout)
        message = self.lifeline.recv(LARGEST)
        # A lifeline without a word: the warm process died, and its kernels with it.
        self.returncode = json.loads(message)["exit"] if message else -signal.SIGKILL
        self.lifeline.close()


@dataclass
class WarmProcess:
    """The running zygote of this process."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    python: Mapping[str, str] = field(default_factory=lambda: interpreter_settings(os.environ))

    def fork(
        self, command: list[str], *, folder: str, environment: Mapping[str, str], streams: tuple[int, int]
    ) -> ForkedKernel:
        """Ask for a kernel; raises Cold with the reason when there is none."""
        arguments = kernel_arguments(command)
        if interpreter_settings(environment) != self.python:
            raise Cold("the notebook wants other settings of the interpreter (PYTHON...)")
        request = json.dumps({"arguments": arguments, "folder": folder, "environment": dict(environment)}).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._send(request, [theirs.fileno(), *streams])
        ours.settimeout(START)
        return _answered(ours)

    def close(self) -> None:
        """End it, and every kernel that it forked."""
        self.control.close()
        self.process.wait()

    def _send(self, request: bytes, descriptors: list[int]) -> None:
        if len(request) >= LARGEST:
            raise Cold(f"the environment is {len(request)} bytes long")
        try:
            socket.send_fds(self.control, [request], descriptors)
        except OSError as error:
            raise Cold(f"the warm process is gone ({error})") from None


def warm() -> WarmProcess:
    """The warm process of this process, started on first use; raises Cold where a fork is not to be had."""
    if sys.platform != "linux":
        raise Cold(f"forking a process with loaded libraries is safe on Linux only, not on {sys.platform}")
    return _started()


@functools.cache  # one for each process: its whole point is to be shared
def _started() -> WarmProcess:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, **QUIET}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runbook_lib.kernels.zygote"],
            stdin=theirs.fileno(),
            env=environment,
            start_new_session=True,
        )
    zygote = WarmProcess(process, ours)
    atexit.register(zygote.close)
    return zygote


def kernel_arguments(command: list[str]) -> list[str]:
    """What follows `python -m ipykernel_launcher` in a kernel's command; raises Cold for any other command."""
    interpreter, *rest = command
    if rest[:2] != LAUNCHER or not _same(interpreter):
        raise Cold(f"the kernel is not this Python's ({interpreter} {' '.join(rest[:2])})")
    return rest[2:]


def interpreter_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads once, when it starts: a fork cannot change it."""
    return {key: value for key, value in environment.items() if key.startswith("PYTHON")}


def _same(interpreter: str) -> bool:
    # The link decides, not what it leads to: the Pythons of two environments may be one file.
    here = os.path.dirname(os.path.abspath(sys.executable))
    return os.path.dirname(os.path.abspath(interpreter)) == here and os.path.exists(interpreter)


def _answered(lifeline: socket.socket) -> ForkedKernel:
    try:
        message = lifeline.recv(LARGEST)
    except TimeoutError:
        raise Cold(f"the warm process was not ready after {START:g} s") from None
    if not message:
        raise Cold("the warm process ended while it imported its libraries")
    told: dict[str, Any] = json.loads(message)
    if "refused" in told:
        raise Cold(told["refused"])
    return ForkedKernel(told["pid"], lifeline)
