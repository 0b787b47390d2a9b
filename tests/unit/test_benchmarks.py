"""A benchmark that misses a wanted value says so and fails."""

from __future__ import annotations

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.harness import Measure, report


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
