"""Worlds that are brought to blue/green once and remembered by every process of this session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runbook_lib import sandbox
from runbook_lib.account import Account
from runbook_lib.check import Verdict
from runbook_lib.journal import Journal
from runbook_lib.preflight import account as reading
from runbook_lib.preflight import report
from runbook_lib.preflight.wish import Wish
from runbook_lib.runbook import opened
from runbook_lib.sandbox import cache
from runbook_lib.story import worlds
from runbook_lib.system import System
from tests.preflight.conftest import PARAMS


@dataclass(frozen=True)
class World:
    """A blue/green world of its own."""

    account: Account
    system: System
    journal: Journal

    def verdicts(self, wish: Wish | None = None) -> dict[str, Verdict]:
        """What preflight says of it, question by question."""
        asked = report.examine(reading.read_system(self.account, self.system, wish)).asked
        return {one.story.id: one.verdict for one in asked}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> str:
    """One folder of remembered worlds and builds for all processes."""
    base = tmp_path_factory.getbasetemp()
    return str((base if worker_id == "master" else base.parent) / "remembered")


@pytest.fixture(autouse=True)
def _remembered(_plain_environment: None, monkeypatch: pytest.MonkeyPatch, shelf: str) -> None:
    monkeypatch.setenv(cache.VARIABLE, shelf)


@pytest.fixture
def world() -> Iterator[World]:
    """The sample application behind CodeDeploy, as the runbooks make it; nothing is wrong with it."""
    if sandbox._embedded:
        sandbox._embedded.close()
    account, system = opened(str(PARAMS))
    journal = Journal(account.clock)
    worlds.bring(account, system, "bluegreen", journal=journal)
    yield World(account, system, journal)
    sandbox._embedded.close()  # type: ignore[union-attr]
