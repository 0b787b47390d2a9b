"""The warm process: it imports what notebooks import, then forks one kernel for each request.

What fewer notebooks need it imports while nobody asks for a kernel.

It is started by `fork.py` with one end of a socket as its standard input.  A request is one message with three file
descriptors: the lifeline of the kernel, its standard output and its standard error.  Over the lifeline goes the
kernel's process id, and later its exit code; when the other side drops the lifeline, the kernel is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LARGEST = 1 << 17  # bytes of one request
LAST_ANSWER = 5.0  # seconds that a kernel gets to tell that it ends
LAUNCHER = ["-m", "ipykernel_launcher"]
INLINE = "module://matplotlib_inline.backend_inline"
STORY = (
    "capacity",
    "counting",
    "delivery",
    "forecasting",
    "incident",
    "machine",
    "move",
    "provision",
    "release",
    "rollback",
    "sources",
    "teardown",
    "watch",
    "worlds",
)
SERVICES = (
    "applicationautoscaling",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "codecommit",
    "codeconnections",
    "codedeploy",
    "codepipeline",
    "ecr",
    "ecs",
    "elbv2",
    "events",
    "logs",
    "sts",
)
BACKENDS = ("ssm", "iam", "ec2", "s3", "logs", "applicationautoscaling", "servicequotas")
# "module", or "module:function" for a function that loads more.
# matplotlib_inline.backend_inline must stay out: imported before the shell exists, it never shows a figure.
PRELOAD = (
    "numpy",
    "pandas",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "boto3",
    "botocore.auth",
    "IPython.core.completer",
    "IPython.core.interactiveshell",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "pydantic",
    "ruamel.yaml",
    "runbook_lib.runbook",
    "runbook_lib.views.charts",
    *(f"runbook_lib.story.{name}" for name in STORY),
    "runbook_lib.sandbox.remote",
    "runbook_lib.sandbox.warming:clients",
)
# What a sandbox inside the kernel needs besides: loaded bit by bit while nobody asks for a kernel.
LATER = (
    "runbook_lib.sandbox.gateway",
    *(f"moto.{name}.urls" for name in BACKENDS),
    *(f"runbook_lib.sandbox.services.{name}" for name in SERVICES),
    "runbook_lib.sandbox.memory",
    "duckdb",
)


@dataclass(frozen=True)
class Request:
    """A kernel that is asked for: its command line without the interpreter, its folder and its environment."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    lifeline: socket.socket
    stdout: int
    stderr: int


class Zygote:
    """Forks kernels, reaps them, and tells their lifelines how they ended."""

    def __init__(self, control: socket.socket, trouble: str, later: Sequence[str] = ()) -> None:
        self.control, self.trouble, self.later = control, trouble, list(later)
        self.kernels: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)
        self.ended, self.wakeup = socket.socketpair()
        for channel in (self.ended, self.wakeup):
            channel.setblocking(False)
        self.selector.register(self.ended, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wakeup.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Request | None:
        """Serve until the other side is gone (None); in a freshly forked child, what the child shall become."""
        while True:
            ready = {key.fileobj for key, _ in self.selector.select(0 if self.later else None)}
            if not ready and self.later:
                self._load(self.later.pop(0))
            if self.ended in ready:
                self._reap()
            for lifeline in [other for other in self.kernels.values() if other in ready]:
                self._dropped(lifeline)
            if self.control in ready:
                request = receive(self.control)
                if request is None:
                    self._kill_all()
                    return None
                if self._is_child(request):
                    return request

    def _load(self, name: str) -> None:
        """Nobody asks for anything: load some more, and do not fork any more if that started a thread."""
        load(name)
        gc.freeze()
        self.trouble = self.trouble or trouble()

    def _is_child(self, request: Request) -> bool:
        """Fork the kernel that is asked for: True in the child, False here, also when it was refused."""
        pid = None if self.trouble else os.fork()
        if pid == 0:
            self._leave_parent()
            return True
        _tell(request.lifeline, {"refused": self.trouble} if pid is None else {"pid": pid})
        os.close(request.stdout)
        os.close(request.stderr)
        if pid is None:
            request.lifeline.close()
            return False
        self.kernels[pid] = request.lifeline
        self.selector.register(request.lifeline, selectors.EVENT_READ)
        return False

    def _leave_parent(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for channel in (self.control, self.ended, self.wakeup, *self.kernels.values()):
            channel.close()

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.ended.recv(4096):
                pass
        for pid in list(self.kernels):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                lifeline = self.kernels.pop(pid)
                if lifeline in self.selector.get_map():
                    self.selector.unregister(lifeline)
                _tell(lifeline, {"exit": os.waitstatus_to_exitcode(status)})
                lifeline.close()

    def _dropped(self, lifeline: socket.socket) -> None:
        self.selector.unregister(lifeline)
        for pid, other in self.kernels.items():
            if other is lifeline:
                _kill(pid)

    def _kill_all(self) -> None:
        for pid in self.kernels:
            _kill(pid)


def receive(control: socket.socket) -> Request | None:
    """The next request, None when the other side is gone."""
    message, descriptors, _, _ = socket.recv_fds(control, LARGEST, 3)
    if not message:
        return None
    told = json.loads(message)
    lifeline, stdout, stderr = descriptors
    channel = socket.socket(fileno=lifeline)
    return Request(told["arguments"], told["folder"], told["environment"], channel, stdout, stderr)


def preload(modules: tuple[str, ...] = PRELOAD) -> None:
    """Import what notebooks import; what this environment lacks is left to the notebook."""
    os.environ["MPLBACKEND"] = INLINE
    for name in modules:
        load(name)


def load(name: str) -> None:
    """Import a module, and call the function of it that is named."""
    module, _, function = name.partition(":")
    with contextlib.suppress(ModuleNotFoundError):
        loaded = importlib.import_module(module)
        if function:
            getattr(loaded, function)()


def trouble() -> str:
    """Why forking this process is not safe, or an empty string."""
    if threading.active_count() > 1:
        return "a preloaded library started a thread"
    threads = Path("/proc/self/task")
    if threads.is_dir() and len(list(threads.iterdir())) > 1:
        return "a preloaded library started a native thread"
    return ""


def become(request: Request) -> None:
    """Turn this forked child into the kernel that was asked for; returns when the kernel has ended."""
    os.setsid()
    request.lifeline.close()
    _streams(request.stdout, request.stderr)
    os.chdir(request.folder)
    _environment(request.environment)
    _reseed()
    sys.argv = ["ipykernel_launcher", *request.arguments]
    from ipykernel.kernelapp import IPKernelApp

    # It ends by itself when its parent is gone: the kernel reads JPY_PARENT_PID at import, too early for a fork.
    IPKernelApp.launch_instance(parent_handle=os.getppid())
    _answered(IPKernelApp.instance().control_thread)


def _answered(control: threading.Thread | None) -> None:
    """Let the thread that was asked to end the kernel finish its answer.

    ipykernel closes its sockets as soon as the main loop has stopped, whatever this thread still does with them: then
    the kernel ends with errors of ZeroMQ, or is aborted.
    """
    if control is not None and control.is_alive():
        control.stop()  # type: ignore[attr-defined]  # ipykernel's own class of threads
        control.join(LAST_ANSWER)


def _streams(stdout: int, stderr: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        if source != target:
            os.close(source)


def _environment(wanted: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(wanted)
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = INLINE
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rcParams["backend"] = os.environ["MPLBACKEND"]


def _reseed() -> None:
    # The standard library reseeds itself after a fork, numpy's global generator does not.
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _tell(lifeline: socket.socket, message: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        lifeline.send(json.dumps(message).encode())


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # it has no group of its own in its first moment
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def main() -> None:
    """Preload, serve, and in each child become a kernel."""
    control = socket.socket(fileno=os.dup(0))
    preload()
    gc.collect()
    gc.freeze()  # collected garbage would unshare the pages of every child
    request = Zygote(control, trouble(), LATER).serve()
    if request is not None:
        become(request)


if __name__ == "__main__":
    main()
