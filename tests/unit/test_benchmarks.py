"""A benchmark that misses a wanted value says so and fails."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import sender
from tests.benchmarks.harness import Measure, report
from tests.live.test_live_load import served, well


@pytest.mark.parametrize(("value", "code", "told"), [(2.9, 0, "ok"), (3.1, 1, "MISSED")])
def test_a_missed_value_fails(value: float, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows both figures, the last line is for programs."""
    assert report([Measure("walk_ratio", value, 3, "x", "papermill")]) == code
    lines = capsys.readouterr().out.splitlines()
    assert told in lines[1]
    assert lines[-1] == f"walk_ratio={value}"


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest name."""
    assert bench.main(["wlak"]) == 2
    assert "did you mean walk?" in capsys.readouterr().out


def test_all_run_when_none_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And the worst decides."""
    measures = {"good": [Measure("a", 1, 2, "s")], "bad": [Measure("b", 3, 2, "s")]}
    monkeypatch.setattr(bench, "BENCHMARKS", {name: lambda found=found: found for name, found in measures.items()})
    assert bench.main([]) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if "=" in line and "<=" not in line] == ["a=1", "b=3"]


def test_a_part_runs_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the name of the benchmark and its own; without a name no part runs twice."""
    monkeypatch.setattr(bench, "PARTS", {"walk.demo": lambda: [Measure("a", 1, 2, "s")]})
    monkeypatch.setattr(bench, "BENCHMARKS", {"walk": lambda: [Measure("b", 1, 2, "s")]})
    assert bench.main(["walk.demo"]) == 0
    assert bench.main([]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "=" in line and "<=" not in line] == ["a=1", "b=1"]


def test_a_sender_sends_no_more_than_it_may(tmp_path: Path) -> None:
    """Every request over real HTTP; at SIGTERM it tells what was answered by which version."""
    numbers = tmp_path / "numbers"
    numbers.write_bytes(sender.NUMBER.pack(500) + bytes(8))
    with served(well) as url:
        command = [sys.executable, sender.__file__, url, str(numbers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 30
            while sender.NUMBER.unpack_from(numbers.read_bytes(), sender.ANSWERED)[0] < 500:
                assert time.monotonic() < end, "it did not send what it may"
                time.sleep(0.05)
            process.terminate()
            told = json.loads(process.communicate(timeout=30)[0])
    assert told == {"statuses": {"200": 500}, "versions": {"2.0.0": 500}, "failures": {}}


def test_a_sender_counts_whom_nobody_answers(tmp_path: Path) -> None:
    """A connection that is refused or closed is a failure, not a silence."""
    numbers = tmp_path / "numbers"
    numbers.write_bytes(sender.NUMBER.pack(5) + bytes(8))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))  # and nobody listens
        command = [sys.executable, sender.__file__, f"http://127.0.0.1:{listening.getsockname()[1]}/", str(numbers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            time.sleep(1.5)
            process.terminate()
            told = json.loads(process.communicate(timeout=30)[0])
    assert told["statuses"] == {}
    assert told["failures"]["ConnectionRefusedError"] > 0
