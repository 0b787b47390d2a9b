"""Where served worlds are found: each server leaves a note with its address in a folder, and takes it away at its end.

The note of a server that was killed stays. Whoever reads it asks at the address whether that process is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from runbook_lib.sandbox.files import replace_file

PATIENCE = 5.0  # seconds for an answer; a world that works for longer than that is there all the same
ALONE = build_opener(ProxyHandler({}))  # loopback, whatever proxy the shell names


@dataclass(frozen=True)
class Note:
    """A served world; state is the file that keeps it, or "" for none."""

    url: str
    pid: int
    state: str


@contextmanager
def noted(folder: Path | None, note: Note) -> Iterator[None]:
    """Leave a note while a world is served."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{note.pid}.json"
    replace_file(path, json.dumps(asdict(note)).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def notes(folder: Path) -> list[tuple[Path, Note]]:
    """The notes in a folder, by the numbers of the processes."""
    found = [(path, Note(**json.loads(path.read_bytes()))) for path in folder.glob("[0-9]*.json")]
    return sorted(found, key=lambda each: each[1].pid)


def absence(note: Note) -> str:
    """Why a noted server is not there; "" when it is."""
    if not _runs(note.pid):
        return f"process {note.pid} has ended"
    try:
        with ALONE.open(f"{note.url}/_sandbox/status", timeout=PATIENCE) as reply:
            pid = json.load(reply).get("pid")
    except TimeoutError:
        return ""
    except (URLError, ConnectionError, ValueError, AttributeError):
        return f"process {note.pid} is another one by now, and no world answers at {note.url}"
    return "" if pid == note.pid else f"process {pid} serves at {note.url} now, and not process {note.pid}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
