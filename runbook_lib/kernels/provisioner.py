"""The kernel provisioner: hands jupyter_client forked kernels, and cold ones where a fork is not to be had."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from runbook_lib.kernels.fork import Cold, warm

LONGEST_SOCKET = 100  # bytes of a unix socket's path; the smallest limit (macOS) is 103
log = logging.getLogger(__name__)


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel as a fork of a warm process.

    `idle` may be set by who knows that every cell was answered.
    """

    idle = False

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Let the kernel talk over unix sockets: nobody else can listen, and no port is taken."""
        manager = self.parent
        if manager is not None and manager.transport == "tcp" and not manager.shell_port:
            use_unix_sockets(manager)
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel, or start it cold and say why."""
        try:
            self.process = _fork(cmd, kwargs)
        except Cold as reason:
            log.warning("this kernel starts cold: %s", reason)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Send a signal, but do not interrupt an idle kernel that is about to be asked to end.

        jupyter_client interrupts every kernel before it asks it to end.  Where the kernel has answered its last request
        and is still putting its things away, that tears down its sockets under its other threads: it ends with errors
        of ZeroMQ in its log, or is aborted.
        """
        ending = signum == signal.SIGINT and getattr(self.parent, "shutting_down", False)
        if not (ending and self.idle):
            await super().send_signal(signum)


def use_unix_sockets(manager: Any) -> None:
    """Move a kernel manager that has not started yet from TCP to unix sockets, where their path is short enough."""
    file = Path(manager.connection_file or _folder() / f"kernel-{manager.kernel_id}.json")
    sockets = file.with_name(f"{file.stem}-ipc")
    if len(os.fsencode(sockets)) <= LONGEST_SOCKET:
        manager.connection_file, manager.transport, manager.ip = str(file), "ipc", str(sockets)


@functools.cache  # one for each process, gone with it
def _folder() -> Path:
    """A private folder with a short path: Jupyter's own lies deep in the home, or in one that cannot be written."""
    folder = Path(tempfile.mkdtemp(prefix="runbook-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _fork(command: list[str], options: dict[str, Any]) -> Any:
    streams = (_descriptor(options.get("stdout"), 1), _descriptor(options.get("stderr"), 2))
    environment = options.get("env") or os.environ
    return warm().fork(command, folder=str(options.get("cwd") or Path.cwd()), environment=environment, streams=streams)


def _descriptor(stream: Any, default: int) -> int:
    if stream is None:
        return default
    if isinstance(stream, int):
        if stream < 0:  # subprocess.PIPE and DEVNULL: nobody in the notebook world asks for them
            raise Cold("its output is wanted in a pipe")
        return stream
    return int(stream.fileno())
