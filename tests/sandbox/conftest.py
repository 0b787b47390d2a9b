"""A world of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runbook_lib.sandbox import Sandbox, Settings


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A sandbox with the default settings; nothing of it outlives the test."""
    sandbox = Sandbox.new(Settings())
    yield sandbox
    sandbox.close()
