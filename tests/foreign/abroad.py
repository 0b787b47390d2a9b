"""A world served to clients that know nothing of it, and those clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook_lib.sandbox.world import World

ClientOf = Callable[[World, str], Any]
