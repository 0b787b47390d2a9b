"""The stages of the sandbox's own tests, and clients that are not the project's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.sandbox import Sandbox, Settings, cbor
from runbook_lib.sandbox.world import World

sys.path.insert(0, str(Path(__file__).parents[1] / "sandbox"))  # where the stages are

from abroad import ClientOf
from answers import held_against_the_models


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A sandbox with the default settings; nothing of it outlives the test."""
    sandbox = Sandbox.new(Settings())
    yield sandbox
    sandbox.close()


@pytest.fixture
def in_cbor(monkeypatch: pytest.MonkeyPatch) -> ClientOf:
    """Makes boto3 clients of the operator that speak CBOR; today's boto3 would rather speak JSON."""

    def client(world: World, service: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (cbor.PROTOCOL,))
            made = world.gateway.client(service, caller=world.operator, user_agent="cbor")
        assert made.meta.service_model.resolved_protocol == cbor.PROTOCOL
        return made

    return client


@pytest.fixture(autouse=True, scope="session")
def _no_made_up_values() -> Iterator[None]:
    """Every answer of our own services in this process is one that AWS's models know."""
    with held_against_the_models():
        yield
