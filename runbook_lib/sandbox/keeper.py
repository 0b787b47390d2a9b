"""Keeps a served world: its last save, and the journal of what came from outside since.

Two files: STATE, and STATE.journal beside it. A save writes STATE first and begins a new journal then. Killed between
the two, a world finds a journal that continues the save before: STATE says that it holds that journal already, so it
is left behind. A journal that continues any other save is refused.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox import inputs, journal, save
from runbook_lib.sandbox.inputs import Input
from runbook_lib.sandbox.journal import Journal
from runbook_lib.sandbox.world import World

# A world is saved by itself when doing again what came since would take so long, or fill so much of the disk. A world
# with a release pipeline (4 MB) is saved in 0.04 s: so the work costs 1 % more, and a start hardly over ten seconds.
WORK = 10.0  # seconds of the wall spent on inputs and on what followed from them
SIZE = 64 * 2**20


@dataclass(frozen=True)
class Kept:
    """What the files of a world hold: the last save, and what came after it with its offset in the journal."""

    world: World
    inputs: tuple[tuple[int, Input], ...]


class Keeper:
    """Writes down what comes to a world."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.path = state.with_name(state.name + ".journal")
        self._journal: Journal | None = None
        self._name = ""
        self._work, self._largest = 0.0, SIZE

    def take_up(self) -> Kept | None:
        """What the files hold; None when there is no world yet."""
        if not self.state.exists():
            if self.path.exists():
                raise self._foreign("no such save", f"the save that it continues in {self.state}")
            return None
        saved = save.read(self.state)
        self._name = saved.name
        found = journal.read(self.path) if self.path.exists() else None
        if found is None or (found.continues == saved.holds and found.continues != saved.name):
            self._journal = Journal.begin(self.path, continues=saved.name)
            return Kept(saved.world, ())
        if found.continues != saved.name:
            raise self._foreign(f"save {found.continues[:12]}", f"a journal of {self.state}, save {saved.name[:12]}")
        if found.torn:
            _tell(f"{self.path}: an input that was not written to its end, at offset {found.end}, is left out")
        self._journal = Journal(self.path, end=found.end)
        return Kept(saved.world, tuple((each.offset, inputs.read(each.content)) for each in found.entries))

    def note(self, given: Input) -> None:
        """Write an input down; it is on the disk after sync()."""
        assert self._journal is not None
        with self._written():
            self._journal.append(given.written())

    def sync(self) -> None:
        """Have on the disk what was noted."""
        assert self._journal is not None
        with self._written():
            self._journal.sync()

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunbookError(
                where=f"journal {self.path}",
                seen=f"it cannot be written ({error.strerror})",
                wanted="every change on the disk before it is acknowledged",
                next_step="make room and serve the world again: everything that was acknowledged is there",
            ) from error

    def save(self, world: World) -> None:
        """Save the world, and begin a new journal behind the save."""
        self._name = save.save(world, self.state, holds=self._name)
        self._begin()

    def _begin(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = Journal.begin(self.path, continues=self._name)
        self._work, self._largest = 0.0, SIZE

    @contextmanager
    def working(self) -> Iterator[None]:
        """Inside, the work is done that would have to be done again."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._work += time.monotonic() - began

    @property
    def due(self) -> bool:
        """Whether so much came since the last save that the world is to be saved."""
        return self._work > WORK or (self._journal is not None and self._journal.end > self._largest)

    def put_off(self, why: str) -> None:
        """Go on without the save that was due; what came since stands in the journal."""
        _tell(f"{self.state} is not saved now ({why}); nothing is lost, for its journal is kept")
        self._work, self._largest = 0.0, self._largest + SIZE

    def refusal(self, offset: int, seen: str) -> BadInput:
        """Why the journal cannot be followed further."""
        return BadInput(
            where=f"journal {self.path}, offset {offset}",
            seen=seen,
            wanted="the same answer as when it was written",
            next_step="serve it with the version that wrote it, or remove the journal to go on from the save",
        )

    def _foreign(self, seen: str, wanted: str) -> BadInput:
        return BadInput(
            where=f"journal {self.path}",
            seen=f"it continues {seen}",
            wanted=wanted,
            next_step="put the two files back together, or remove the journal to go on without it",
        )

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _tell(text: str) -> None:
    sys.stderr.write(f"sandbox: {text}\n")
