"""The picture of a good blue/green system, read once from a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib import sandbox
from runbook_lib.journal import Journal
from runbook_lib.preflight import account as reading_account
from runbook_lib.preflight.picture import Picture
from runbook_lib.runbook import opened
from runbook_lib.sandbox import cache
from runbook_lib.story import worlds

PARAMS = Path(__file__).parents[2] / "params" / "sandbox.yaml"


@pytest.fixture(scope="session")
def good() -> Picture:
    """Account and files of the sample application behind CodeDeploy, as the runbooks make it."""
    account, system = opened(str(PARAMS))
    worlds.bring(account, system, "bluegreen", journal=Journal(account.clock))
    picture = reading_account.read_system(account, system)
    sandbox._embedded.close()  # type: ignore[union-attr]
    return picture


@pytest.fixture(autouse=True)
def _remembered(
    _plain_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Worlds that these tests bring to a state are brought there once."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.getbasetemp() / "remembered"))
