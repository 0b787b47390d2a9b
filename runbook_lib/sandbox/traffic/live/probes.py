"""The health checks of containers that are carried out: a command beside the container's process, as ECS runs it.

Source: ECS API reference, HealthCheck. The interval and the start period are the world's, at the pace of its clock; the
timeout of a check is the wall's, as that of the load balancer's. A check runs with the environment and the files of
its container; the container's ports are told as those of loopback that stand for them.
"""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.sandbox.traffic.live.leash import die_with_parent, signal_group

OFTEN = 0.2  # seconds of the wall: no container is asked more often, however fast the clock
HOST = r"(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])"
LOCAL = "127.0.0.1"
HEALTHY, UNHEALTHY = "HEALTHY", "UNHEALTHY"


@dataclass(frozen=True)
class Probe:
    """How a container is asked; seconds of the wall."""

    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    interval: float
    timeout: float
    retries: int
    grace: float  # failures within so many seconds after the start do not count


@dataclass(frozen=True)
class Verdict:
    """A container's health has changed."""

    task: str  # ARN
    container: str
    health: str


class Probes:
    """The checks of the containers that run now, each on a thread of its own."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
        self._stops: dict[str, list[threading.Event]] = {}

    def begin(self, task: str, container: str, probe: Probe) -> None:
        """Ask a container from now on."""
        stop = threading.Event()
        self._stops.setdefault(task, []).append(stop)
        threading.Thread(target=self._repeat, args=(task, container, probe, stop), daemon=True).start()

    def end(self, task: str) -> None:
        """Ask the containers of a task no more."""
        for stop in self._stops.pop(task, ()):
            stop.set()

    def _repeat(self, task: str, container: str, probe: Probe, stop: threading.Event) -> None:
        """The first check comes an interval after the start; one that passes is enough, `retries` failures are."""
        shown, failures, passed = "", 0, 0.0
        while not stop.wait(max(OFTEN, probe.interval)):
            passed += max(OFTEN, probe.interval)
            well = passes(probe)
            failures = 0 if well else failures + (passed > probe.grace)
            health = HEALTHY if well else UNHEALTHY if failures >= probe.retries else shown
            if health != shown and not stop.is_set():
                shown = health
                self.inbox.put(Verdict(task, container, health))

    def verdicts(self) -> list[Verdict]:
        """What changed since the last time."""
        return [self.inbox.get() for _ in range(self.inbox.qsize())]

    def close(self) -> None:
        """Ask nobody any more."""
        for task in list(self._stops):
            self.end(task)


def passes(probe: Probe) -> bool:
    """One check: whether its command ends with 0 in time."""
    try:
        process = subprocess.Popen(
            probe.command,
            cwd=probe.directory,
            env=dict(probe.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError:
        return False  # as in a container that does not have the program
    try:
        return process.wait(probe.timeout) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        signal_group(process, signal.SIGKILL)
        process.wait()


def command_of(words: Sequence[str], ports: Mapping[int, int]) -> tuple[str, ...]:
    """The command of a check (CMD or CMD-SHELL first), the container's own ports told as those of loopback."""
    kind, *rest = words
    told = [_with_ports(word, ports) for word in rest]
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", " ".join(told))
    return tuple(told if kind == "CMD" else [_with_ports(kind, ports), *told])


def _with_ports(word: str, ports: Mapping[int, int]) -> str:
    def other(found: re.Match[str]) -> str:
        port = ports.get(int(found[2]))
        return found[0] if port is None else f"{LOCAL}:{port}"

    word = re.sub(rf"{HOST}:(\d+)", other, word)
    if 80 in ports:
        word = re.sub(rf"http://{HOST}(?![:\w.])", f"http://{LOCAL}:{ports[80]}", word)
    return word
