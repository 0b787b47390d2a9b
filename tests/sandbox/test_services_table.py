"""The table of services: what is there is loaded, what breaks says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runbook_lib.sandbox import services
from runbook_lib.sandbox.errors import SandboxError


@pytest.mark.parametrize("name", sorted({*services.SERVICES, *services.PARTS}))
def test_each_module_has_what_the_world_asks_for(name: str) -> None:
    """A store, operations for a service, handlers that bear the name of their owner."""
    path = services.SERVICES.get(name) or services.PARTS[name]
    module = services._load(path)
    assert module is not None, f"{path} is in the table and is not there"
    assert callable(getattr(module, "STORE", dict))
    if name in services.SERVICES:
        assert module.OPERATIONS or hasattr(module, "MOTO")
    for handler in getattr(module, "HANDLERS", {}):
        assert callable(services.handler(handler))


def test_a_module_that_cannot_be_imported_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a file that is not there counts as no service."""
    (tmp_path / "broken_service.py").write_text("import there_is_no_such_module\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(services.SERVICES, "broken", "broken_service")
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_module"):
        services.module("broken")


def test_a_service_without_a_file_is_left_to_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that is not in the table."""
    monkeypatch.setitem(services.SERVICES, "absent", "runbook_lib.sandbox.services.absent")
    assert services.module("absent") is None
    assert services.module("s3") is None


def test_a_store_of_nobody_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(SandboxError, match=r"no service or part is called 's4'.*'ecs'"):
        services.new_store("s4")
