"""A file that the user asked for with --output."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.errors import BadInput


def write(path: Path, text: str, *, make_folder: bool = False) -> None:
    """Write a text; a file that cannot be written is the user's to name anew."""
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            where=f"--output {path}",
            seen=f"it cannot be written ({error.strerror})",
            wanted="a file in a folder that is there and can be written to",
            next_step="name another file: --output FILE",
        ) from error
