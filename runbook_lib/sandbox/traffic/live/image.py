"""An image unpacked: its files below a folder, its command and its environment as a container would have them.

There is no container around it: the folder stands for the root of its file system, so a path of the image that is
there is told to the process as the path below the folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.shims.docker.image import Config

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
RUNC = (
    "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to "
    "create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
)
SEARCHED = 'exec: "{word}": executable file not found in $PATH: unknown'
STATED = 'exec: "{word}": stat {word}: no such file or directory: unknown'
NO_COMMAND = "CannotStartContainerError: Error response from daemon: no command specified"


class CannotStart(Exception):
    """Why a container cannot start, in AWS's words, and what a person at the sandbox should know."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(frozen=True)
class File:
    """A file of an image; `mode` is 644, 755 or link (then its content is where it leads)."""

    path: str
    mode: str
    content: bytes


@dataclass(frozen=True)
class Contents:
    """What an image holds: what it says of its containers, its files, and what of it could not be had."""

    config: Config
    files: tuple[File, ...] = ()
    missing: tuple[str, ...] = ()  # lines of layers whose files are not there: COPY --from, ADD of a URL
    not_run: tuple[str, ...] = ()  # commands of RUN


@dataclass(frozen=True)
class Start:
    """How a container is started."""

    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]


def contents(world: World, uri: str) -> Contents | None:
    """The image behind a URI of the account's registry; None for one of another registry."""
    from runbook_lib.sandbox.services import ecr
    from runbook_lib.sandbox.shims.docker.image import read_config

    found = ecr.stored(world, uri)
    if found is None:
        return None
    repository, image = found
    blobs = repository.layers
    lines = [line for one in image.layers for line in blobs[one["digest"]].decode().splitlines()]
    return read(read_config(blobs[image.content["config"]["digest"]]), lines, blobs)


def read(config: Config, lines: Sequence[str], blobs: Mapping[str, bytes]) -> Contents:
    """The contents that the lines of an image's layers stand for; a later file takes the place of an earlier one."""
    files: dict[str, File] = {}
    missing, not_run = [], []
    for line in lines:
        words = line.rsplit(" ", 2)
        if len(words) == 3 and words[2] in blobs and words[1] in ("644", "755", "link"):
            files[words[0]] = File(words[0], words[1], blobs[words[2]])
        elif line.startswith("run "):
            not_run.append(line.removeprefix("run "))
        elif line.startswith("/"):
            missing.append(line)
    return Contents(config, tuple(files.values()), tuple(missing), tuple(not_run))


def unpack(image: Contents, root: Path) -> None:
    """Write an image's files below a folder; nothing is ever written outside it."""
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    root = root.resolve()
    for file in image.files:
        target = root / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(root):
            continue  # a link of the image leads out of it
        target.unlink(missing_ok=True)
        if file.mode == "link":
            target.symlink_to(file.content.decode())
        else:
            target.write_bytes(file.content)
            target.chmod(0o755 if file.mode == "755" else 0o644)


def start_of(
    image: Contents,
    root: Path,
    *,
    tools: Path,
    declared: Mapping[str, Any],
    override: Mapping[str, Any],
    more: Mapping[str, str],
) -> Start:
    """How a container of a task definition starts; `more` is what only this place knows. Raises CannotStart."""
    environment = _environment(image.config, root, tools, declared, override, more)
    directory = _below(root, str(declared.get("workingDirectory") or image.config.directory or "/"))
    directory.mkdir(parents=True, exist_ok=True)
    words = _words(image.config, declared, override)
    if not words:
        raise CannotStart(NO_COMMAND, _known_base(image))
    program = _program(words[0], root, directory, environment["PATH"], image)
    return Start((program, *(_told(one, root) for one in words[1:])), directory, environment)


def _words(config: Config, declared: Mapping[str, Any], override: Mapping[str, Any]) -> list[str]:
    """Docker's rule: another entry point takes the image's own command away (docker run, --entrypoint)."""
    entry, command = list(declared.get("entryPoint") or ()), override.get("command") or declared.get("command")
    if entry:
        return [*entry, *(command or ())]
    return [*config.entrypoint, *(config.command if command is None else command)]


def _environment(
    config: Config,
    root: Path,
    tools: Path,
    declared: Mapping[str, Any],
    override: Mapping[str, Any],
    more: Mapping[str, str],
) -> dict[str, str]:
    own = {key: _translated(value, root) for key, value in config.environment.items()}
    given = [*declared.get("environment", ()), *override.get("environment", ())]
    own |= {pair["name"]: pair["value"] for pair in given}
    path = f"{tools}{os.pathsep}{own.get('PATH', SYSTEM_PATH)}{os.pathsep}{SYSTEM_PATH}"
    return {"HOME": str(root), "TMPDIR": str(root / "tmp"), "LC_ALL": "C.UTF-8", **own, **more, "PATH": path}


def _program(word: str, root: Path, directory: Path, path: str, image: Contents) -> str:
    if "/" in word:
        inside = _below(root, word) if word.startswith("/") else directory / word
        found = next((one for one in (inside, Path(word)) if one.is_file() and os.access(one, os.X_OK)), None)
        if found is None or (found != inside and not word.startswith("/")):
            raise CannotStart(RUNC + STATED.format(word=word), _known_base(image))
        return str(found)
    named = shutil.which(word, path=path)
    if named is None:
        raise CannotStart(RUNC + SEARCHED.format(word=word), _known_base(image))
    return named


def _known_base(image: Contents) -> str:
    ran = f"; not executed at its build: RUN {image.not_run[0]}" if image.not_run else ""
    return (
        "of the base of an image only its name is known: its command must be a file of the image, `python`, or a "
        f"program of this machine{ran}"
    )


def _told(word: str, root: Path) -> str:
    return str(_below(root, word)) if word.startswith("/") and word != "/" and _below(root, word).exists() else word


def _translated(value: str, root: Path) -> str:
    return os.pathsep.join(_told(part, root) for part in value.split(os.pathsep))


def _below(root: Path, path: str) -> Path:
    return root / os.path.normpath("/" + path).lstrip("/")


def furnish(folder: Path) -> Path:
    """The folder with what every image finds on its PATH: `python` and `python3` are this environment's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        script.chmod(0o755)
    return folder
