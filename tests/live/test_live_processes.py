"""Processes on a leash: their output, their ends, and that none of them outlives the one who started it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.sandbox.traffic.live.container import Container, Exit, Line, News
from runbook_lib.sandbox.traffic.live.image import Start
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.watchman import watch

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
OWNER = """
import sys, time
from pathlib import Path
from runbook_lib.sandbox.traffic.live.leash import Leash
leash = Leash()
made = leash.start(["/bin/sh", "-c", "sleep 60 & echo $! > pids; echo $$ >> pids; wait"],
                   directory=Path(sys.argv[1]), environment={"PATH": "/usr/bin:/bin"})
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture
def leash() -> Iterator[Leash]:
    made = Leash()
    yield made
    made.close()


class Told:
    """What a container told."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
        self.lines: list[str] = []

    def line(self) -> str:
        found = self.inbox.get(timeout=10)
        assert isinstance(found, Line), found
        return found.text

    def code(self) -> int:
        while True:
            found = self.inbox.get(timeout=10)
            if isinstance(found, Exit):
                return found.code
            self.lines.append(found.text)


def run(leash: Leash, folder: Path, script: str) -> tuple[Container, Told]:
    told = Told()
    start = Start(("/bin/sh", "-c", script), folder, {"PATH": "/usr/bin:/bin"})
    return Container(leash, start, task="task", name="app", tell=told.inbox.put), told


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_exit_codes_are_dockers(leash: Leash, tmp_path: Path, script: str, code: int) -> None:
    """128 and the signal's number where a signal ended it."""
    assert run(leash, tmp_path, script)[1].code() == code


def test_every_line_is_told_before_the_exit(leash: Leash, tmp_path: Path) -> None:
    """Both streams, in the order written."""
    _, told = run(leash, tmp_path, "echo one; echo two >&2; printf three")
    assert (told.code(), told.lines) == (0, ["one", "two", "three"])


def test_one_that_obeys_ends_by_sigterm(leash: Leash, tmp_path: Path) -> None:
    """And with the exit code of its own that it chooses."""
    container, told = run(leash, tmp_path, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    assert told.line() == "ready"
    container.stop(patience=10)
    assert told.code() == 0


def test_one_that_does_not_obey_is_killed(leash: Leash, tmp_path: Path) -> None:
    """SIGKILL after the stop timeout, which shows as 137."""
    container, told = run(leash, tmp_path, STUBBORN)
    assert told.line() == "ready"
    container.stop(patience=0.2)
    assert told.code() == 137


def test_what_a_container_left_behind_ends_with_it(leash: Leash, tmp_path: Path) -> None:
    """A process in the background does not hold the end up, nor outlive it."""
    _, told = run(leash, tmp_path, "sleep 60 & echo $!")
    left = int(told.line())
    assert told.code() == 0
    assert ends(left)


def test_everything_ends_when_the_owner_is_killed(tmp_path: Path) -> None:
    """SIGKILL gives the owner no time: the kernel and the watchman end its processes and what those started."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "started\n"
    pids = wait_for_pids(tmp_path / "pids")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert [ends(pid) for pid in pids] == [True, True]


def test_the_watchman_forgets_what_ended() -> None:
    """Only groups that were not taken back are ended."""
    assert watch(["+12\n", "+13\n", "-12\n"]) == {13}


def wait_for_pids(file: Path) -> list[int]:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            found = file.read_text().split()
            if len(found) == 2:
                return [int(pid) for pid in found]
        time.sleep(0.02)
    pytest.fail("the processes did not come up")


def ends(pid: int) -> bool:
    """Whether a process is gone (or a zombie that nobody has waited for) within a few seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(FileNotFoundError):
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        time.sleep(0.02)
    return False


def test_a_process_that_computes_is_told_from_one_that_waits(leash: Leash, tmp_path: Path) -> None:
    """By what the system says of it; one that has ended does neither."""
    busy, told = run(leash, tmp_path, "while :; do :; done")
    idle, _ = run(leash, tmp_path, "sleep 60")
    end = time.monotonic() + 10
    while not (busy.works and not idle.works) and time.monotonic() < end:
        time.sleep(0.01)  # the shell of the idle one works until it sleeps
    assert (busy.works, idle.works) == (True, False)
    busy.kill()
    assert told.code() == 137
    assert not busy.works
