"""The build context: the files that docker would send to its daemon, with what makes them what they are."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.sandbox.shims.docker import ignore

BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """A file of the context: path, mode (only whether it may be run counts) and the digest of its content."""

    path: str
    mode: str
    digest: str


@dataclass(frozen=True)
class Context:
    """A folder without what its .dockerignore leaves out; `clean` takes the host's own paths out of a content."""

    folder: Path
    patterns: tuple[str, ...]
    clean: Callable[[bytes], bytes]

    @functools.cached_property
    def paths(self) -> dict[str, Path]:
        """Every file in it, by path, sorted."""
        found = {str(path.relative_to(self.folder)): path for path in _walk(self.folder)}
        return {path: found[path] for path in sorted(found) if not ignore.ignored(path, self.patterns)}

    @property
    def size(self) -> int:
        """Bytes sent to the daemon: a header and the padded content of each file, as in a tar archive."""
        return sum(BLOCK + -(-_size(path) // BLOCK) * BLOCK for path in self.paths.values()) + 2 * BLOCK

    def entry(self, path: str) -> Entry:
        """A file of the context."""
        real = self.paths[path]
        mode = "link" if real.is_symlink() else "755" if os.access(real, os.X_OK) else "644"
        return Entry(path, mode, _digest(self.content(path)))

    def content(self, path: str) -> bytes:
        """What a file holds; of a link, where it leads."""
        real = self.paths[path]
        return os.readlink(real).encode() if real.is_symlink() else self.clean(real.read_bytes())

    def below(self, folder: str) -> list[str]:
        """The files below a folder of the context (`.` is all of it)."""
        prefix = "" if folder in (".", "") else f"{folder}/"
        return [path for path in self.paths if path.startswith(prefix)]

    def matching(self, pattern: str) -> list[str]:
        """Files and folders that match a pattern."""
        folders = {"/".join(path.split("/")[:depth]) for path in self.paths for depth in range(1, path.count("/") + 1)}
        return sorted(path for path in {*self.paths, *folders} if ignore.matches(pattern, path))


def load(folder: Path, dockerfile: Path, clean: Callable[[bytes], bytes]) -> Context:
    """The context in a folder; <Dockerfile>.dockerignore comes before .dockerignore."""
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    listed = own if own.is_file() else folder / ".dockerignore"
    patterns = ignore.read(listed.read_text(errors="replace")) if listed.is_file() else []
    return Context(folder, tuple(patterns), clean)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        yield from (Path(parent) / name for name in (*files, *linked))


def _size(path: Path) -> int:
    return path.lstat().st_size


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
