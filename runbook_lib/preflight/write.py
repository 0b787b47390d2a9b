"""Writes a text at once or not at all: whoever is killed in the midst leaves the former file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runbook_lib.errors import BadInput


def replace_text(path: Path, text: str, *, inside: Path) -> None:
    """Put a text in the place of a file, byte for byte as given, with the file's own mode; links are followed.

    A link that leads out of the folder is refused: what is shared with others is not ours to change.
    """
    target = path.resolve()
    if not target.is_relative_to(inside.resolve()):
        raise BadInput(
            where=str(path),
            seen=f"a link to {target}",
            wanted=f"a file in {inside}",
            next_step="change the file that it leads to by hand",
        )
    try:
        _replace(target, text.encode())
    except OSError as problem:
        raise BadInput(
            where=str(path),
            seen=f"it cannot be written ({problem.strerror})",
            wanted="a folder and a file that can be written",
            next_step="allow writing, then run the command again: files that are done stay done",
        ) from problem


def _replace(target: Path, content: bytes) -> None:
    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    beside = Path(name)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
