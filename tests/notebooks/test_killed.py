"""A run that is killed in the middle leaves a world that the next run goes on with: nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.runs import world
from runbook_lib.sandbox import connect

ROOT = Path(__file__).parents[2]
# Fast enough for a test, slow enough to be killed in the middle; and the former tasks stay until it is over.
SCALED = ("sandbox.clock=scaled", "sandbox.scale=240", "release.termination_wait_minutes=1200", "release.limit_minutes=2000")
PATIENCE = 90.0  # seconds of the wall until the place to kill is reached


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A served world whose clock goes on by itself, as AWS does while nobody looks."""
    monkeypatch.chdir(ROOT)
    with world.served_world(world.arguments_for("sandbox", SCALED), log=tmp_path / "sandbox.log") as environment:
        yield environment


def started(shared: dict[str, str], notebook: str, output: Path, *settings: str) -> subprocess.Popen[bytes]:
    """A headless run in a process of its own."""
    words = [word for setting in (*SCALED, *settings) for word in ("-p", setting)]
    command = [sys.executable, "-m", "runbook_lib.cli", "run", notebook, *words, "--output", str(output)]
    return subprocess.Popen(command, env={**os.environ, **shared}, stdout=subprocess.DEVNULL)


def kill_at(run: subprocess.Popen[bytes], journal: Path, words: str) -> None:
    """Kill a run as a machine does that loses its power, once its journal says these words."""
    deadline = time.monotonic() + PATIENCE
    while not (journal.exists() and words in journal.read_text(encoding="utf-8")):
        assert run.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, f"never saw {words}"
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["fields"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def done(folder: Path) -> list[str]:
    """The steps of a run that were done; the lease is taken and given back by every run."""
    return [step["id"] for step in entries(folder, "step") if step["done"] and not step["id"].startswith("lease.")]


def deployments(shared: dict[str, str]) -> list[str]:
    client = connect(shared[world.URL]).client("codedeploy")
    found: list[str] = client.list_deployments(applicationName="orders", deploymentGroupName="orders-bg")["deployments"]
    return found


def test_a_release_that_was_killed_is_taken_up(shared: dict[str, str], tmp_path: Path) -> None:
    """The same deployment is followed to its end; there is one commit and one deployment of it."""
    first, second = tmp_path / "first", tmp_path / "second"
    kill_at(started(shared, "30_release", first), first / "journal.jsonl", '"phase": "AllowTraffic"')
    seen = entries(first, "sample")[0]["deployment"]
    assert started(shared, "30_release", second).wait() == 0
    assert {sample["deployment"] for sample in entries(second, "sample")} == {seen}
    assert done(second) == []
    assert len(deployments(shared)) == 2, "the test release of 22, and this one"


def test_a_move_that_was_killed_goes_on(shared: dict[str, str], tmp_path: Path) -> None:
    """The share that was reached is not taken away again, and what was made is not made again."""
    first, second = tmp_path / "first", tmp_path / "second"
    kill_at(started(shared, "15_move_service", first), first / "journal.jsonl", '"move.shift.50"')
    assert started(shared, "15_move_service", second).wait() == 0
    assert "move.shift.10" not in done(second)
    assert not set(done(first)) & set(done(second))


def test_a_tear_down_that_was_killed_goes_on(shared: dict[str, str], tmp_path: Path) -> None:
    """From what is left, without making anything again."""
    assert started(shared, "10_provision", tmp_path / "made").wait() == 0
    first, second = tmp_path / "first", tmp_path / "second"
    kill_at(started(shared, "90_tear_down", first), first / "journal.jsonl", '"remove.elbv2:load-balancer')
    assert started(shared, "90_tear_down", second).wait() == 0
    assert all(step.startswith("remove.") for step in done(second))
    assert done(second)
