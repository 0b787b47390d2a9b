"""Worlds in which something happened whose true story is known, each looked at once it is over."""

from __future__ import annotations

import os
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from runbook_lib import sandbox
from runbook_lib.account import Account
from runbook_lib.journal import Journal
from runbook_lib.runbook import opened
from runbook_lib.sandbox.disturbance import Disturbance
from runbook_lib.story import chapters, incident, worlds
from runbook_lib.story.incident import Look
from runbook_lib.system import System

DEPENDENCY = Disturbance(after_minutes=302, minutes=6, error_rate=0.08, latency_factor=2.0)  # 14:02 to 14:08
CACHE = TemporaryDirectory(prefix="runbook-stories-")
LEAK = {"APP_LEAK_MS_PER_MINUTE": "4"}


def at(hour: int, minute: int, account: Account) -> None:
    """Let the world's time go on until then."""
    now = account.clock.now()
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    account.clock.sleep((then - now).total_seconds())


def close() -> None:
    """End the world that is there."""
    if sandbox._embedded:
        sandbox._embedded.close()


def begun(world: str, *disturbances: Disturbance) -> tuple[Account, System, Journal]:
    """A sandbox that was brought to a state, and what will disturb it; states are remembered from story to story."""
    close()
    with patch.dict(os.environ, {"RUNBOOK_CACHE": CACHE.name}):
        account, system = opened("sandbox")
        journal = Journal(account.clock)
        worlds.bring(account, system, world, journal=journal)
    own: Any = sandbox._embedded
    own.world.settings = own.world.settings.with_(disturbances=disturbances)
    return account, system, journal


def bad_release() -> tuple[Account, System, Look]:
    """Version 3 fails 30 % of its requests: traffic at 14:02, alarm at 14:06, rolled back at 14:07."""
    account, system, journal = begun("incident")
    return account, system, incident.read(account, system, incident.find_window(account, system, "", ""), [journal])


def dependency() -> tuple[Account, System, Look]:
    """A dependency fails from 14:02 to 14:08, long after the last release."""
    account, system, journal = begun("released", DEPENDENCY)
    at(14, 40, account)
    window = incident.find_window(account, system, "13:30", "14:30")
    return account, system, incident.read(account, system, window, [journal])


def dependency_in_a_release() -> tuple[Account, System, Look]:
    """The dependency fails while a good version takes the traffic: both colours feel it."""
    account, system, journal = begun("released", replace(DEPENDENCY, after_minutes=50, minutes=5))
    chapters.attempt(account, system, journal, "2.1.0", {})
    account.clock.sleep(1200)
    window = incident.find_window(account, system, "09:30", "")
    return account, system, incident.read(account, system, window, [journal])


def leak() -> tuple[Account, System, Look]:
    """Version 2.1 becomes slower by 4 ms a minute until its p99 is over the objective."""
    account, system, journal = begun("released")
    chapters.release_of(account, system, journal, "2.1.0", LEAK)
    account.clock.sleep(75 * 60)
    window = incident.find_window(account, system, "09:30", "")
    return account, system, incident.read(account, system, window, [journal])
