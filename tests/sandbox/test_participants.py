"""Child processes in a world: their calls, their sleep and their end."""

from __future__ import annotations

import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.sandbox import Sandbox, participants
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.participants import run_child

ROLE = "arn:aws:iam::123456789012:role/build"
ENDED = "participants.ended"
SLEEP = (
    'import os, urllib.request as u; u.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_sandbox/sleep?seconds=%s").read()'
)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the handler participants.ended was called with: seconds since the start, its arguments, code, output."""
    seen: list[tuple[Any, ...]] = []

    def note(world: Any, *args: Any) -> None:
        seen.append((world.now - world.settings.start, *args))

    monkeypatch.setitem(participants.HANDLERS, ENDED, note)
    return seen


class Stage:
    """Starts children in a sandbox."""

    def __init__(self, sandbox: Sandbox, directory: Path) -> None:
        self.sandbox, self.directory = sandbox, directory

    def run(self, *command: str, name: str = "x", **more: Any) -> str:
        return run_child(
            self.sandbox.world,
            list(command),
            directory=self.directory,
            environment={"PATH": os.environ["PATH"]},
            role_arn=ROLE,
            on_exit=(ENDED, name),
            **more,
        )

    def python(self, *lines: str, name: str = "x", **more: Any) -> str:
        return self.run(sys.executable, "-c", "\n".join(lines), name=name, **more)


@pytest.fixture
def stage(fresh: Sandbox, tmp_path: Path) -> Stage:
    """A stage in a fresh world."""
    return Stage(fresh, tmp_path)


def test_a_childs_output_and_exit_code_reach_its_handler(stage: Stage, ended: list[Any]) -> None:
    """Output and errors in the order written; the world's time stood still."""
    stage.run("bash", "-c", "echo out; echo err >&2; pwd; exit 3")
    assert ended == [(0, "x", 3, f"out\nerr\n{stage.directory}\n")]


def test_a_child_calls_as_a_session_of_its_role(stage: Stage, ended: list[Any]) -> None:
    """Its calls are answered by this world and recorded under its name."""
    stage.python(
        "import boto3",
        'print(boto3.client("sts").get_caller_identity()["Arn"])',
        'boto3.client("s3").create_bucket(Bucket="from-child")',
        session="build-1",
    )
    caller = "arn:aws:sts::123456789012:assumed-role/build/build-1"
    assert ended[0][2:] == (0, caller + "\n")
    assert [b["Name"] for b in stage.sandbox.client("s3").list_buckets()["Buckets"]] == ["from-child"]
    assert [(c.operation, c.caller) for c in stage.sandbox.world.calls[:2]] == [
        ("GetCallerIdentity", caller),
        ("CreateBucket", caller),
    ]


def test_a_child_that_sleeps_waits_for_the_worlds_time(stage: Stage, ended: list[Any]) -> None:
    """It goes on when the world is there, at exactly that time, and no wall time passes for it."""
    stage.python(SLEEP % 90, 'print("up")')
    assert ended == []
    assert not stage.sandbox.clock.idle()
    stage.sandbox.clock.sleep(89)
    assert ended == []
    stage.sandbox.clock.sleep(10)
    assert ended == [(90, "x", 0, "up\n")]


def test_children_that_sleep_wake_in_the_order_of_their_times(stage: Stage, ended: list[Any]) -> None:
    """Two at once, each at its own time."""
    stage.python(SLEEP % 60, name="late")
    stage.python(SLEEP % 30, name="early")
    stage.sandbox.clock.sleep(100)
    assert [(at, name) for at, name, *_ in ended] == [(30, "early"), (60, "late")]


def test_a_child_is_told_the_worlds_time(stage: Stage, ended: list[Any]) -> None:
    """Asking does not move it."""
    stage.sandbox.clock.sleep(5)
    stage.python(
        "import os, urllib.request as u",
        'print(u.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_sandbox/now").read().decode(), end="")',
    )
    assert ended == [(5, "x", 0, "1772442005.000\n")]


def test_a_child_can_use_the_remote_clock(stage: Stage, ended: list[Any]) -> None:
    """A runbook that runs as a task sleeps as the child that it is, without a deadlock."""
    stage.python(
        "import os",
        "from runbook_lib.sandbox import connect",
        'world = connect(os.environ["RUNBOOK_SANDBOX_URL"])',
        "world.clock.sleep(30)",
        'print(world.clock.now().isoformat(), world.client("sts").get_caller_identity()["Arn"].split("/")[1])',
    )
    stage.sandbox.clock.sleep(60)
    assert ended == [(30, "x", 0, "2026-03-02T09:00:30+00:00 build\n")]


def test_a_hung_child_is_ended_with_code_124(stage: Stage, ended: list[Any]) -> None:
    """So is everything that it started."""
    started = time.monotonic()
    stage.run("bash", "-c", "sleep 60 & echo $!; exec sleep 60", timeout_wall=0.3)
    _, _, code, output = ended[0]
    assert code == 124
    assert time.monotonic() - started < 10
    assert not _alive(int(output))


def test_what_a_child_left_behind_is_ended(stage: Stage, ended: list[Any]) -> None:
    """A process in the background does not outlive its parent, and does not hold it up."""
    started = time.monotonic()
    stage.run("bash", "-c", "sleep 60 & echo $!")
    assert ended[0][2] == 0
    assert time.monotonic() - started < 10
    assert not _alive(int(ended[0][3]))


def _alive(pid: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_the_listener_is_open_only_while_a_child_lives(stage: Stage, ended: list[Any]) -> None:
    """A world in this process serves nobody else."""
    stage.python(SLEEP % 10)
    assert stage.sandbox.world.participants.listening
    stage.sandbox.clock.sleep(10)
    assert not stage.sandbox.world.participants.listening


def test_a_world_is_not_saved_while_a_child_lives(stage: Stage, ended: list[Any], tmp_path: Path) -> None:
    """A process cannot be saved: the error says what to do."""
    stage.python(SLEEP % 10)
    with pytest.raises(SandboxError, match="1 running child"):
        stage.sandbox.save(tmp_path / "world")
    with pytest.raises(SandboxError, match="1 running child"):
        pickle.dumps(stage.sandbox.world)
    stage.sandbox.clock.sleep(10)
    stage.sandbox.save(tmp_path / "world")


def test_closing_the_world_ends_its_children(stage: Stage, ended: list[Any]) -> None:
    """Nothing of a world outlives it."""
    stage.python("import os", 'open("pid", "w").write(str(os.getpid()))', SLEEP % 10)
    stage.sandbox.close()
    assert not _alive(int((stage.directory / "pid").read_text()))
    assert ended == []


def test_a_command_that_does_not_exist_is_named(stage: Stage, ended: list[Any]) -> None:
    """And no listener is left open."""
    with pytest.raises(SandboxError, match="no-such-command"):
        stage.run("no-such-command")
    assert not stage.sandbox.world.participants.listening


def test_a_wrong_sleep_is_refused(stage: Stage, ended: list[Any]) -> None:
    """The child gets an error and goes on."""
    stage.python("try:", "    " + SLEEP % "soon", "except Exception as error:", "    print(error)")
    assert ended[0][3] == "HTTP Error 400: Bad Request\n"


def test_a_bug_of_the_sandbox_is_told_to_the_child_as_internal_failure(
    stage: Stage, ended: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The traceback goes to this process's errors."""
    monkeypatch.setattr(type(stage.sandbox.world.gateway), "handle_foreign", lambda *_: 1 / 0)
    stage.python(
        "import boto3, botocore.config as c",
        'try: boto3.client("kms", config=c.Config(retries={"total_max_attempts": 1})).list_keys()',
        "except Exception as error: print(error.response['Error']['Code'])",
    )
    assert ended[0][3] == "InternalFailure\n"
    assert "ZeroDivisionError" in capfd.readouterr().err
