"""What was seen, decided and done, one line each, kept as JSON Lines while the run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runbook_lib.clock import Clock
from runbook_lib.errors import BadInput

RUN_DIRECTORY = "RUNBOOK_RUN_DIR"  # where the runner wants the evidence of this run
SECRET_NAME = re.compile(r"(secret|password|passwd|token|credential|private|api_?key|access_?key)", re.IGNORECASE)
# In these places of AWS's shapes stand values of environment variables: names may be shown, values never.
ENVIRONMENT = ("environment", "environmentVariables", "environmentVariablesOverride", "secrets")
HIDDEN = "***"


@dataclass(frozen=True)
class Entry:
    """One line of the journal; `at` is the clock's time, `kind` what sort of line it is."""

    number: int
    at: str
    kind: str
    fields: dict[str, Any]


@dataclass
class Journal:
    """The journal of one run: written through to its file at once, so that a killed run loses nothing."""

    clock: Clock
    path: Path | None = None
    entries: list[Entry] = field(default_factory=list)

    def write(self, kind: str, **fields: Any) -> Entry:
        """Add a line; values of secrets and environment variables are hidden before anything is kept."""
        entry = Entry(len(self.entries) + 1, self.clock.now().isoformat(), kind, redact(plain(fields)))
        self.entries.append(entry)
        if self.path is not None:
            _append(self.path, entry)
        return entry

    def of(self, kind: str) -> Iterator[Entry]:
        """The lines of one kind, in order."""
        return (entry for entry in self.entries if entry.kind == kind)

    def as_json(self) -> str:
        """The whole journal as one JSON document."""
        return json.dumps([asdict(entry) for entry in self.entries], indent=1, ensure_ascii=False)

    def resume(self, content: str) -> None:
        """Go on after what another journal held, given as its JSON document."""
        self.entries = [Entry(**entry) for entry in json.loads(content)]


def read(path: Path) -> list[Entry]:
    """The lines of a journal file; a last line that was cut off by a kill is left out."""
    entries = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entries.append(Entry(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            if number < len(lines):
                raise BadInput(
                    where=f"{path.name}:{number}",
                    seen="a line that is no journal entry",
                    wanted="one JSON object a line",
                    next_step="restore the file from the evidence of the run",
                ) from None
    return entries


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses become objects, times ISO 8601 text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        # What a file holds is no business of a journal: a task definition holds values of environment variables.
        return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:12]}"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def redact(value: Any) -> Any:
    """The same value with secrets and values of environment variables hidden; names stay."""
    if isinstance(value, dict):
        return {key: _redact_field(key, inner) for key, inner in value.items()}
    return [redact(inner) for inner in value] if isinstance(value, list) else value


def _redact_field(key: str, value: Any) -> Any:
    if key in ENVIRONMENT:
        return _names_only(value)
    return HIDDEN if SECRET_NAME.search(key) and isinstance(value, str) else redact(value)


def _names_only(value: Any) -> Any:
    if isinstance(value, list):
        return [_names_only(inner) for inner in value]
    if isinstance(value, dict):
        return {key: inner if key == "name" else _names_only(inner) for key, inner in value.items()}
    return HIDDEN


def _append(path: Path, entry: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
