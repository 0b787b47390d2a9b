"""Kernels are forked from a warm process: fresh, quick, and cold with a reason where that cannot be."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from runbook_lib import kernels
from runbook_lib.kernels import zygote
from runbook_lib.kernels.fork import Cold, interpreter_settings, kernel_arguments, warm

linux = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux alone")
LAUNCH = ["-m", "ipykernel_launcher", "-f", "file"]


@pytest.fixture(autouse=True)
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KernelProvisionerFactory.instance(), "default_provisioner_name", kernels.NAME)


@contextmanager
def kernel(**options: Any) -> Iterator[tuple[KernelManager, Any]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def say(client: Any, code: str) -> str:
    """What a line of code prints."""
    heard: list[str] = []
    client.execute_interactive(code, timeout=30, output_hook=lambda m: heard.append(m["content"].get("text", "")))
    return "".join(heard).strip()


@linux
def test_a_kernel_is_a_fork_with_its_libraries_loaded() -> None:
    """pandas is there before anybody imports it, and the parent is the warm process."""
    with kernel() as (_, client):
        parent, loaded = say(client, "import os, sys; print(os.getppid(), 'pandas' in sys.modules)").split()
    assert (int(parent), loaded) == (warm().process.pid, "True")


@linux
def test_two_kernels_share_nothing() -> None:
    """Another process, no variable of the former one, other random numbers."""
    draw = "import os, random, numpy; print(os.getpid(), random.random(), numpy.random.random(), 'secret' in globals())"
    with kernel() as (_, client):
        say(client, "secret = 1")
        first = say(client, draw).split()
    with kernel() as (_, client):
        second = say(client, draw).split()
    assert (first[3], second[3]) == ("True", "False")
    assert not set(first[:3]) & set(second[:3])


@linux
def test_a_kernel_gets_its_folder_environment_and_streams(tmp_path: Path) -> None:
    """As if it had been started by its command."""
    output = tmp_path / "output"
    environment = {**os.environ, "COLOUR": "green"}
    with output.open("wb") as stream, kernel(cwd=str(tmp_path), env=environment, stdout=stream) as (_, client):
        told = say(client, "import os; print(os.getcwd(), os.environ['COLOUR'], 'PYTEST_CURRENT_TEST' in os.environ)")
        say(client, "os.write(1, b'to the terminal')")
    assert told == f"{tmp_path} green True"
    assert output.read_text() == "to the terminal"


@linux
def test_a_kernel_opens_no_port(capfd: pytest.CaptureFixture[str]) -> None:
    """It talks over unix sockets, and so has nothing to warn of."""
    with kernel() as (manager, client):
        say(client, "1")
        assert manager.transport == "ipc"
    assert "encryption" not in capfd.readouterr().err


@linux
def test_a_kernel_can_be_interrupted_and_restarted() -> None:
    """As JupyterLab does it."""
    with kernel() as (manager, client):
        client.execute("import time; time.sleep(60)")
        time.sleep(0.3)
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=20)["content"]["ename"] == "KeyboardInterrupt"
        first = manager.provisioner.pid
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        assert manager.provisioner.pid != first


@linux
def test_the_death_of_a_kernel_is_seen() -> None:
    """With the signal that killed it."""
    with kernel() as (manager, _):
        process = manager.provisioner.process
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        assert not manager.is_alive()


@linux
def test_kernels_do_not_outlive_the_one_who_asked_for_them() -> None:
    """A runner that is killed leaves no kernel and no warm process behind."""
    program = """
        import os, signal
        from jupyter_client.manager import KernelManager
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel()
        from runbook_lib.kernels.fork import warm
        print(manager.provisioner.pid, warm().process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = {**os.environ, kernels.CHOOSE: kernels.NAME}
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, stdout=subprocess.PIPE, check=False
    )
    assert all(gone(int(pid)) for pid in told.stdout.split())


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_kernel_starts_cold_where_forks_are_not_safe(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It works all the same, and a warning says why it took longer."""
    monkeypatch.setattr("runbook_lib.kernels.fork.sys.platform", "darwin")
    with caplog.at_level(logging.WARNING), kernel() as (_, client):
        assert say(client, "import os; print(os.getppid())") == str(os.getpid())
    assert "this kernel starts cold: forking a process with loaded libraries is safe on Linux only" in caplog.text


@linux
def test_a_fork_cannot_change_the_interpreter() -> None:
    """What Python reads once at its start must be as the warm process had it."""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    with pytest.raises(Cold, match="other settings of the interpreter"):
        warm().fork([sys.executable, *LAUNCH], folder=".", environment=environment, streams=(1, 2))


@pytest.mark.parametrize("command", [["/usr/bin/env", *LAUNCH], [sys.executable, "-m", "xeus", "-f", "file"]])
def test_a_kernel_of_another_python_is_not_forked(command: list[str]) -> None:
    """Another interpreter or another kernel starts as its own command says."""
    with pytest.raises(Cold, match="not this Python's"):
        kernel_arguments(command)


def test_settings_of_the_interpreter_are_told_from_others() -> None:
    """Only names that Python itself reads."""
    assert interpreter_settings({"PYTHONPATH": "x", "PATH": "y"}) == {"PYTHONPATH": "x"}


def test_a_process_with_threads_refuses_to_fork() -> None:
    """The other side hears the reason and starts its kernel cold."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lifeline, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    former = signal.getsignal(signal.SIGCHLD)
    try:
        streams = [os.open(os.devnull, os.O_WRONLY) for _ in range(2)]
        request = b'{"arguments": [], "folder": "/", "environment": {}}'
        socket.send_fds(ours, [request], [other.fileno(), *streams])
        ours.close()
        assert zygote.Zygote(theirs, "a thread runs").serve() is None
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, former)
    assert lifeline.recv(1000) == b'{"refused": "a thread runs"}'


def test_a_library_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook that needs it will say so."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    zygote.preload(("json", "no_such_library"))
    assert "no_such_library" not in sys.modules


@pytest.mark.parametrize("name", sorted({*zygote.PRELOAD, *zygote.LATER}))
def test_what_is_loaded_beforehand_exists(name: str) -> None:
    """A name that was changed elsewhere would be left out in silence."""
    module, _, function = name.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert not function or f"def {function}(" in Path(str(spec.origin)).read_text(encoding="utf-8")


def test_what_the_runbooks_import_is_loaded_beforehand(root: Path) -> None:
    """A forked kernel finds every chapter of the story in memory."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (root / "notebooks").glob("*.ipynb"))
    chapters = {
        name.strip()
        for line in re.findall(r"from runbook_lib\.story import ([\w, ]+)", sources)
        for name in line.split(",")
    }
    assert {f"runbook_lib.story.{name}" for name in chapters} <= set(zygote.PRELOAD)


@linux
def test_a_process_loads_more_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thing at a time, and a request comes first."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    loaded: list[str] = []

    def load(name: str) -> None:
        loaded.append(name)
        if name == "b":
            ours.close()

    monkeypatch.setattr(zygote, "load", load)
    former = signal.getsignal(signal.SIGCHLD)
    try:
        assert zygote.Zygote(theirs, "", ("a", "b", "c")).serve() is None
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, former)
    assert loaded == ["a", "b"]


def test_a_sandbox_reads_nothing_of_this_machine(tmp_path: Path) -> None:
    """A profile that is not there, a broken configuration and a proxy change nothing, also in what is loaded early."""
    broken = tmp_path / "config"
    broken.write_text("[broken\n", encoding="utf-8")
    told = {"AWS_PROFILE": "missing", "AWS_CONFIG_FILE": str(broken), "HTTPS_PROXY": "http://127.0.0.1:9"}
    code = """
        from runbook_lib.kernels.zygote import LATER, PRELOAD, load
        for name in (*PRELOAD, *LATER):
            load(name)
        from runbook_lib.journal import Journal
        from runbook_lib.runbook import opened
        from runbook_lib.story import worlds
        account, system = opened("sandbox")
        worlds.bring(account, system, "rolling", journal=Journal(account.clock))
        print(account.client("ecs").list_services(cluster=system.cluster)["serviceArns"][0].rpartition("/")[2])
    """
    environment = {**os.environ, **told, "RUNBOOK_CACHE": ""}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.strip() == "orders"
