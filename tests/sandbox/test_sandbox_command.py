"""`runbook sandbox`: a world is served, found from the same folder, looked at, steered and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib import cli
from runbook_lib.runs import world
from runbook_lib.sandbox import whereabouts
from runbook_lib.sandbox.whereabouts import Note

RUNBOOK = [sys.executable, "-m", "runbook_lib.cli", "sandbox"]


class Serving:
    """`runbook sandbox serve` in a process of its own, and what it said until it was ready."""

    def __init__(self, *words: str) -> None:
        command = [*RUNBOOK, "serve", "-f", "plain", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.said = []
        while not (self.said and self.said[-1].startswith(("  export RUNBOOK", "{"))):
            line = self.process.stdout.readline()
            assert line, self.errors()
            self.said.append(line)

    def errors(self) -> str:
        return self.process.communicate()[1]


@pytest.fixture
def serving(workplace: Path) -> Iterator[Serving]:
    """A world that is served from the folder of the test."""
    served = Serving("--state", "world.state")
    yield served
    served.process.kill()
    served.process.wait()


def run(*words: str, code: int = 0) -> None:
    assert cli.main(["sandbox", *words]) == code


def test_what_it_says_points_the_aws_cli_at_the_world(serving: Serving) -> None:
    """The lines work as they are in a shell; the AWS CLI is the real one."""
    exports = "\n".join(line for line in serving.said if "export" in line)
    aws = Path(sys.executable).with_name("aws")
    done = subprocess.run(
        ["bash", "-c", f"{exports}\n{aws} sts get-caller-identity --query Arn --output text"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "arn:aws:iam::123456789012:user/operator\n"


def test_the_world_of_this_folder_is_found_and_steered(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its address; people get sentences, programs get JSON."""
    run("status")
    assert "2026-03-02 09:00:00 UTC, virtual clock, nothing is going to happen" in capsys.readouterr().out
    run("advance", "90")
    assert capsys.readouterr().out == "it is 2026-03-02 09:01:30 UTC\n"
    run("status", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["pid"], told["now"], told["deployments"]) == (serving.process.pid, 1772442090.0, [])
    run("save")
    assert capsys.readouterr().out == f"saved in {Path('world.state').absolute()}\n"
    run("reset")
    run("stop")
    assert serving.process.wait(20) == 0
    run("status", code=2)
    assert "no world that is served from this folder" in capsys.readouterr().err


def test_a_killed_server_is_missed_and_served_again(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """Its note is recognised as stale and taken away; the time that had passed has passed."""
    run("advance", "60")
    serving.process.send_signal(signal.SIGKILL)
    serving.process.wait()
    run("status", code=2)
    told = capsys.readouterr().err
    assert f"process {serving.process.pid} has ended; its note is removed" in told
    assert "`runbook sandbox serve` serves one" in told
    again = Serving("--state", "world.state", "--json")
    run("status")
    assert "09:01:00 UTC" in capsys.readouterr().out
    again.process.terminate()
    assert again.process.wait(20) == 0


def test_of_two_worlds_one_must_be_named(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """With their addresses."""
    other = Serving("--json")
    url = json.loads(other.said[0])["url"]
    run("status", code=2)
    assert url in capsys.readouterr().err
    run("status", "--url", url)
    run("stop", "--url", url)
    assert other.process.wait(20) == 0


def test_an_order_that_is_refused_says_why(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the server, with the exit code of its error."""
    served = Serving()
    try:
        run("advance", "inf", code=2)
        run("save", code=2)
    finally:
        served.process.kill()
        served.process.wait()
    told = capsys.readouterr().err
    assert "from 0 to 316224000 seconds at once" in told
    assert "a server started with --state FILE" in told


def test_a_busy_port_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is loaded or written."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run("serve", "-f", "plain", "--port", str(port), code=2)
    assert f"port {port}: seen: it cannot be listened on (Address already in use)" in capsys.readouterr().err


def test_a_port_that_does_not_exist_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Like one that is busy, and with the range."""
    run("serve", "-f", "plain", "--port", "70000", code=2)
    assert "port 70000: seen: it cannot be listened on (ports go from 0 to 65535)" in capsys.readouterr().err


def test_a_folder_that_keeps_nothing_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state file needs a folder that exists or can be made."""
    (workplace / "file").write_text("no folder")
    run("serve", "-f", "plain", "--state", "file/world.state", code=2)
    assert "file: seen: nothing can be kept in it (File exists)" in capsys.readouterr().err


def test_a_link_to_a_served_world_is_the_same_world(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """Else each would have a journal of its own, and the later save would undo the other's."""
    Path("link.state").symlink_to("world.state")
    run("serve", "-f", "plain", "--state", "link.state", code=6)
    assert f"process {serving.process.pid} serves it" in capsys.readouterr().err


def test_other_settings_than_the_worlds_are_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only those that differ are named."""
    served = Serving("--state", "world.state")
    served.process.terminate()
    assert served.process.wait(20) == 0
    run("serve", "-f", "plain", "--state", "world.state", "-p", "sandbox.seed=7", code=2)
    assert "seen: a world with seed=1; wanted: a world with seed=7" in capsys.readouterr().err


def test_a_note_whose_number_is_another_process_by_now_is_known(serving: Serving) -> None:
    """Numbers are given again; the world itself says whose it is."""
    url = json.loads(next(world.NOTES.glob("*.json")).read_text())["url"]
    assert whereabouts.absence(Note(url, serving.process.pid, "")) == ""
    assert f"process {serving.process.pid} serves" in whereabouts.absence(Note(url, os.getpid(), ""))
    assert "is another one by now" in whereabouts.absence(Note("http://127.0.0.1:9", os.getpid(), ""))


def test_a_world_ends_with_its_starter(workplace: Path) -> None:
    """Killed, too: its input is closed then; it saves itself and frees its file."""
    starter = (
        "import subprocess, sys, time\n"
        f"served = subprocess.Popen({[*world.SERVER, '--state', 'world.state']!r}, stdin=subprocess.PIPE)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = json.loads(process.stdout.readline())["pid"]
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.05)
    again = Serving("--state", "world.state", "--json")
    again.process.terminate()
    assert again.process.wait(20) == 0
