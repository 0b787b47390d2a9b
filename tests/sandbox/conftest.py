"""A world of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from answers import held_against_the_models

from runbook_lib.sandbox import Sandbox, Settings


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A sandbox with the default settings; nothing of it outlives the test."""
    sandbox = Sandbox.new(Settings())
    yield sandbox
    sandbox.close()


@pytest.fixture(autouse=True, scope="session")
def _no_made_up_values() -> Iterator[None]:
    """Every answer of our own services is one that AWS's models know."""
    with held_against_the_models():
        yield
