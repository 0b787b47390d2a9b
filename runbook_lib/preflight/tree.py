"""The files of a folder, as they are or as a repair would make them; reading is bounded in count, depth and bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from runbook_lib.documents.source import Source, read, source_of
from runbook_lib.errors import BadInput

DEEPEST, MOST, MOST_FOLDERS = 4, 20_000, 20_000
LARGEST_TEXT = 1 << 20  # bytes of a file that is looked into for what it is; CloudFormation takes no larger template
SKIPPED = frozenset({"node_modules", "vendor", "venv", "target", "dist", "__pycache__", ".git"})


@dataclass(frozen=True)
class Tree:
    """A folder, and texts that it does not hold yet (`changed`, by path from the folder, with slashes)."""

    directory: Path
    changed: Mapping[str, str] = field(default_factory=dict)

    def with_text(self, path: str, text: str) -> Tree:
        """The same folder with another text in one file."""
        return replace(self, changed={**self.changed, path: text})

    @cached_property
    def below(self) -> dict[str, int]:
        """The files with their sizes in bytes, as far down as deployment files are looked for."""
        sizes = {path: size for path, size in self._walked[0] if path not in self.changed}
        return sizes | {path: len(text.encode()) for path, text in self.changed.items()}

    @cached_property
    def complete(self) -> bool:
        """Whether the folder was walked to its end: not so where it holds more files than any application has."""
        return self._walked[1]

    @cached_property
    def _walked(self) -> tuple[tuple[tuple[str, int], ...], bool]:
        found: list[tuple[str, int]] = []
        for number, (top, folders, files) in enumerate(os.walk(self.directory)):
            depth = len(Path(top).relative_to(self.directory).parts)
            folders[:] = sorted(name for name in folders if depth < DEEPEST and name not in SKIPPED)
            for name in sorted(files):
                path = Path(top) / name
                size = _size(path)
                if size is not None:
                    found.append((path.relative_to(self.directory).as_posix(), size))
                if len(found) > MOST or number > MOST_FOLDERS:
                    return tuple(found[:MOST]), False
        return tuple(found), True

    def read(self, path: str) -> Source:
        """A file as its documents read it; what cannot be read is BadInput."""
        if path in self.changed:
            return source_of(self.changed[path], name=path)
        return read(self.directory / path, name=path)

    def looked_at(self, path: str) -> str:
        """The text of a file, to see what it is: bytes that are no text are replaced; empty when it is large."""
        if path in self.changed:
            return self.changed[path]
        if self.below.get(path, LARGEST_TEXT + 1) > LARGEST_TEXT:
            return ""
        try:
            with (self.directory / path).open("rb") as file:
                return file.read(LARGEST_TEXT).decode("utf-8", errors="replace")
        except OSError:
            return ""  # whoever reads it as a document says why


def open_tree(directory: Path) -> Tree:
    """The folder of an application."""
    if not directory.is_dir():
        raise BadInput(
            where=str(directory),
            seen="no such folder" if not directory.exists() else "a file",
            wanted="the folder of an application",
            next_step="name the folder that holds its buildspec, taskdef.json and appspec.yaml",
        )
    return Tree(directory)


def _size(path: Path) -> int | None:
    """Bytes of a regular file, also behind a link; None for anything else, such as a link that leads nowhere."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
