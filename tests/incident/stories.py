"""Worlds in which something happened whose true story is known, each looked at once it is over."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from unittest.mock import patch

from runbook_lib import sandbox
from runbook_lib.account import Account
from runbook_lib.journal import Journal
from runbook_lib.runbook import opened
from runbook_lib.story import incident, worlds
from runbook_lib.story.incident import Look
from runbook_lib.system import System

CACHE = TemporaryDirectory(prefix="runbook-stories-")


def close() -> None:
    """End the world that is there."""
    if sandbox._embedded:
        sandbox._embedded.close()


def begun(world: str) -> tuple[Account, System, Journal]:
    """A sandbox that was brought to a state; states are remembered from story to story."""
    close()
    with patch.dict(os.environ, {"RUNBOOK_CACHE": CACHE.name}):
        account, system = opened("sandbox")
        journal = Journal(account.clock)
        worlds.bring(account, system, world, journal=journal)
    return account, system, journal


def told(world: str) -> tuple[Account, System, Look]:
    """An incident, looked back at as 60 does: in the window that it finds by itself."""
    account, system, journal = begun(world)
    return account, system, incident.read(account, system, incident.find_window(account, system, "", ""), [journal])
