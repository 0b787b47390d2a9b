"""Where the evidence of a run lies: a directory of its own, that no other run ever gets."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.clock import Clock
from runbook_lib.errors import BadInput

RUNS = "runs"


def make_directory(name: str, *, clock: Clock, within: Path) -> Path:
    """A new directory `20260302T090000Z-30_release`, with a number behind it when that exists already."""
    stem = f"{clock.now():%Y%m%dT%H%M%SZ}-{name}"
    for number in range(1, 1000):
        folder = within / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(folder, error) from None
        return folder
    raise _unwritable(within / stem, "a thousand runs of the same second")


def use_directory(folder: Path) -> Path:
    """A directory that the caller names: made when missing, refused when it holds another run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise _unwritable(folder, error) from None
    if taken:
        raise BadInput(
            where=str(folder),
            seen="a directory with files in it",
            wanted="an empty or a new one: evidence is never written over",
            next_step="name another directory with --output",
        )
    return folder


def shown(path: Path) -> str:
    """A path as the reader would type it: from this folder where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _unwritable(folder: Path, reason: object) -> BadInput:
    return BadInput(
        where=str(folder),
        seen=f"no directory could be made ({reason})",
        wanted="a place for the evidence",
        next_step="name a directory that can be written with --output",
    )
