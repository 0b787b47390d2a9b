"""Worlds in which a release can begin, brought there once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runbook_lib import sandbox
from runbook_lib.sandbox import cache


@pytest.fixture(autouse=True)
def _remembered(
    _plain_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The state before a release is brought once; nothing of a test's world outlives it."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.getbasetemp() / "remembered"))
    yield
    if sandbox._embedded is not None:
        sandbox._embedded.close()
