"""Worlds that were brought to a state before: a fresh world goes on from there instead of being brought again.

What a state holds follows from the parameters, the application and the program alone, so a world of the same inputs
is the same one; tests/sandbox/test_memory.py compares the two. Only worlds on the virtual clock are kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import cache, save

if TYPE_CHECKING:
    from runbook_lib.sandbox import Sandbox

PROGRAMS = 3  # versions of the library whose worlds are kept
OPENING = 1  # call: who am I, with which every account is opened


class Memory:
    """What is remembered for a sandbox; `inputs` is everything from outside that its states follow from."""

    def __init__(self, sandbox: Sandbox, inputs: str) -> None:
        self._sandbox = sandbox
        own = sandbox.world.settings
        known = f"{own}/{inputs}"
        self._name = hashlib.sha256(known.encode()).hexdigest()[:24]

    def recall(self, states: Sequence[str]) -> tuple[str, str] | None:
        """Go on from the last of these states that is remembered, and give it with what was noted on the way there.

        None when none is remembered, or the world has a past.
        """
        if not self._is_fresh():
            return None
        for state in reversed(states):
            path = self._path(state)
            if path is not None and path.is_file() and self._load(path):
                return state, _notes(path).read_text(encoding="utf-8")
        return None

    def keep(self, state: str, *, notes: str) -> None:
        """Remember the world as it is now, and what was noted on the way there."""
        path = self._path(state)
        if path is None or path.exists():
            return
        _make_room(path.parent)
        own = path.with_name(f"{path.name}.{os.getpid()}")  # others may keep the same world at the same time
        own.write_text(notes, encoding="utf-8")
        own.replace(_notes(path))  # before the world: where that is, its notes are
        save.save(self._sandbox.world, own)
        own.replace(path)

    def _is_fresh(self) -> bool:
        world = self._sandbox.world
        return world.now == world.settings.start and len(world.calls) <= OPENING

    def _path(self, state: str) -> Path | None:
        kept = cache.folder()
        if kept is None or self._sandbox.world.settings.clock != "virtual":
            return None
        return kept / "worlds" / cache.program()[:16] / f"{self._name}-{state}"

    def _load(self, path: Path) -> bool:
        try:
            self._sandbox.become(path)
        except BadInput:
            path.unlink(missing_ok=True)  # damaged, or of another version: it is made anew
            return False
        return True


def _notes(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _make_room(folder: Path) -> None:
    """Worlds of long replaced versions of the program go."""
    if folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(
        (other for other in folder.parent.iterdir() if other != folder), key=lambda one: one.stat().st_mtime
    )
    for old in others[: -PROGRAMS + 1]:
        shutil.rmtree(old, ignore_errors=True)  # another process may be at it; what stays goes the next time
