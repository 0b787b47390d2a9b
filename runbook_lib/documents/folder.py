"""The folder of an application: its buildspec, Dockerfile and what else of it tells, each file read once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runbook_lib.documents import buildspec, dockerfile, imagedetail
from runbook_lib.documents.buildspec import Facts
from runbook_lib.documents.source import Source, read
from runbook_lib.errors import BadInput

_TASKDEFS = ("taskdef.json", "task-definition.json")
_SKIPPED = frozenset({"node_modules", "vendor", "venv", "target", "dist", "__pycache__"})
_DEEPEST = 3


@dataclass(frozen=True)
class Missing:
    """A file or directory that a Dockerfile copies or a command enters, and that is not in the folder."""

    path: str
    where: str
    is_directory: bool


@dataclass(frozen=True)
class Folder:
    """The files of a folder, each read once; None where it does not exist."""

    directory: Path
    buildspec: Source
    facts: Facts
    dockerfile_path: str | None
    dockerfile: dockerfile.Dockerfile | None
    taskdef: Source | None
    definitions: Source | None


def open_folder(directory: Path, buildspec_path: str | None = None) -> Folder:
    """Read the files of an application's folder; raises BadInput when it has no buildspec, or one that is malformed."""
    if not directory.is_dir():
        raise BadInput(
            seen="no such directory" if not directory.exists() else "a file",
            wanted="the folder of an application",
            next_step="name the folder that holds its buildspec and Dockerfile",
            where=str(directory),
        )
    path = buildspec_path or _find_buildspec(directory)
    source = read(directory / path, name=path)
    facts = buildspec.facts(source, name=path)
    found = _find_dockerfile(directory, facts.dockerfile.value) if facts.dockerfile else None
    return Folder(
        directory,
        source,
        facts,
        found,
        dockerfile.read(read(directory / found, name=found), name=found) if found else None,
        _optional(directory, _TASKDEFS),
        _optional(directory, (imagedetail.DEFINITIONS,)),
    )


def _find_buildspec(directory: Path) -> str:
    for name in ("buildspec.yml", "buildspec.yaml"):
        if (directory / name).is_file():
            return name
    found = sorted(_buildspecs(directory))
    if len(found) != 1:
        raise BadInput(
            seen=f"{len(found)} buildspecs: {', '.join(found)}" if found else "no buildspec.yml",
            wanted="one buildspec",
            next_step="name the one that the pipeline uses" if found else f"put buildspec.yml into {directory}",
            where=directory.name,
        )
    return found[0]


def _buildspecs(directory: Path) -> Iterator[str]:
    for top, folders, files in os.walk(directory):
        depth = len(Path(top).relative_to(directory).parts)
        folders[:] = [
            name for name in folders if depth < _DEEPEST and name not in _SKIPPED and not name.startswith(".")
        ]
        for name in files:
            if "buildspec" in name.lower() and name.endswith((".yml", ".yaml")):
                yield (Path(top) / name).relative_to(directory).as_posix()


def _find_dockerfile(directory: Path, path: str) -> str | None:
    """The file itself; docker takes dockerfile in lower case when there is no Dockerfile."""
    lower = PurePosixPath(path).with_name(PurePosixPath(path).name.lower()).as_posix()
    return next((name for name in (path, lower) if (directory / name).is_file()), None)


def _optional(directory: Path, names: tuple[str, ...]) -> Source | None:
    return next((read(directory / name, name=name) for name in names if (directory / name).is_file()), None)


def missing(folder: Folder) -> tuple[Missing, ...]:
    """What the build reads and the folder lacks, each once; patterns where the Dockerfile has patterns."""
    absent = (*_directories(folder), *_copied(folder))
    return tuple({one.path: one for one in reversed(absent)}.values())[::-1]


def _directories(folder: Folder) -> Iterator[Missing]:
    for path, where in folder.facts.directories:
        if not (folder.directory / path).is_dir() and not _is_made(path, folder.facts.files_written):
            yield Missing(path, where, is_directory=True)


def _copied(folder: Folder) -> Iterator[Missing]:
    written = folder.facts.files_written
    context = folder.facts.context
    for copied in folder.dockerfile.copies if folder.dockerfile and context is not None else ():
        paths = [_in_context(context or ".", source) for source in copied.sources]
        absent = [path for path in paths if not _is_there(folder.directory, path) and not _is_made(path, written)]
        # A pattern may match nothing as long as something beside it is copied.
        gone = [path for path in absent if "*" not in path and "?" not in path] or (absent if absent == paths else [])
        for path in gone:
            yield Missing(path, f"{folder.dockerfile_path}:{copied.line}", is_directory=path.endswith("/"))


def _in_context(context: str, source: str) -> str:
    path = PurePosixPath(context, source.lstrip("/")).as_posix()
    return f"{path}/" if source.endswith("/") and path != "." else path


def _is_there(directory: Path, path: str) -> bool:
    pattern = path.rstrip("/")
    if not any(mark in pattern for mark in "*?["):
        return (directory / pattern).exists()
    return any(directory.glob(pattern))


def _is_made(path: str, written: tuple[str, ...]) -> bool:
    """Whether a command of the build makes it, or makes the directory that it lies in."""
    bare = path.rstrip("/")
    return any(bare == one or bare.startswith(f"{one}/") for one in written)
