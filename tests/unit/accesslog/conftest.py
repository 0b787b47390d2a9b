"""Both ways of counting; a module of tests asks for them by the mark usefixtures("way")."""

from __future__ import annotations

import pytest

from runbook_lib.accesslog import counting


@pytest.fixture(params=["SQL", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test twice: as small logs are counted, and as large ones are."""
    way: str = request.param
    monkeypatch.setattr(counting, "LARGE", 0 if way == "compiled" else 1 << 60)
    return way
