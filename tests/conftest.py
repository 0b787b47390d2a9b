"""What every test may rely on: a shell that says nothing about worlds, runs or accounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes to draw says something of the machine, nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]
FOREIGN = ("RUNBOOK_", "AWS_")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the world, the credentials or the settings of the caller's shell, nor what it once worked out."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RUNBOOK_CACHE", "")


@pytest.fixture
def root() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture
def fixtures() -> Path:
    """Tiny notebooks, each named for what it shows."""
    return ROOT / "tests" / "notebooks" / "fixtures"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, with a parameter file that changes nothing: params/plain.yaml."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "plain.yaml").write_text("{}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
