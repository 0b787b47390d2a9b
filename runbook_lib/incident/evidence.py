"""A look that is kept: what AWS forgets after an hour, two weeks or three months can be read again from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput
from runbook_lib.incident import redact
from runbook_lib.incident.look import Seen

NAME = "incident.json"


def save(seen: Seen, path: Path) -> None:
    """Write everything that was read into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(".part")
    waiting.write_bytes(_adapter().dump_json(seen, indent=1))
    waiting.replace(path)  # a kill leaves no half of it


def load(path: Path) -> Seen:
    """A look as it was kept; raises BadInput, with the file and what is wrong, for anything else."""
    try:
        return redact.without_secrets(_adapter().validate_json(path.read_bytes()))  # the first looks held them
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _bad(path, f"{place or 'the file'}: {first['msg']}") from None


@dataclass(frozen=True)
class Kept:
    """The newest look that covers a window (None: there is none) with its file, and the files that are none."""

    look: tuple[Seen, Path] | None
    passed_over: tuple[str, ...] = ()  # each with what is wrong with it


def covering(folder: Path, service: str, window: Window) -> Kept:
    """What is kept below a folder of a window of a service; a file that cannot be read is passed over, and told."""
    found, bad = [], []
    for path in sorted(folder.rglob(NAME)):
        try:
            kept = load(path)
        except BadInput as error:
            bad.append(f"{path}: {error.seen}")
            continue
        if kept.service == service and covers(kept.window, window):
            found.append((kept, path))
    return Kept(max(found, key=lambda one: one[0].read_at, default=None), tuple(bad))


def covers(kept: Window, asked: Window) -> bool:
    return kept.start <= asked.start and asked.end <= kept.end


def _adapter() -> TypeAdapter[Seen]:
    return TypeAdapter(Seen)


def _bad(path: Path, seen: str) -> BadInput:
    return BadInput(
        where=str(path),
        seen=seen,
        wanted=f"{NAME} as 60_post_incident keeps it beside its journal",
        next_step="name the file of an earlier look, or look at a window that AWS still remembers",
    )
