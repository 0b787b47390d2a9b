"""Builds that were run before: what their commands wrote, whom they asked what, and what came of it.

A build with the same inputs is played back instead of run: what it asked is asked again, so that the same calls are
made and the same images pushed, and as soon as the world answers otherwise the commands are really run from there.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import cache
from runbook_lib.sandbox.services.codebuild import artifacts, workshop
from runbook_lib.sandbox.services.codebuild.store import Attempt, Build, Collected
from runbook_lib.sandbox.shims import host
from runbook_lib.sandbox.shims.wire import Exchange

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PACKAGES = Path(__file__).parents[2]
SOURCES = ("shims", "services/codebuild", "services/codecommit/archive.py")
VERSIONS = ("awscli", "botocore", "ruamel.yaml")
KEPT = 64  # builds in memory


@dataclass(frozen=True)
class Memo:
    """A build that was run to its end."""

    attempts: tuple[Attempt, ...]
    artifacts: dict[str, Collected]
    exported: dict[str, str]


_known: dict[str, Memo] = {}


def key(world: World, build: Build) -> str:
    """The hash of everything that can make a difference to a build's commands, but for the world's answers."""
    run = build.run
    seat = workshop.seat_of(world, build, "")
    inputs = {
        "sources": {name: hashlib.sha256(source.packed).hexdigest() for name, source in run.sources.items()},
        "spec": repr(run.spec),
        "variables": workshop.variables(build, "", ""),
        "seat": workshop.identity(seat),
        "role": build.plan.settings["serviceRole"],
        "artifacts": sorted(artifacts.wanted(build, run.spec)) if run.spec else [],
        "program": _program(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def find(name: str) -> Memo | None:
    """The build of that key, from memory or from the cache folder."""
    if name in _known:
        return _known[name]
    path = _path(name)
    if path is None or not path.exists():
        return None
    _remember(name, _from_json(json.loads(path.read_text())))
    return _known[name]


def keep(name: str, memo: Memo) -> None:
    """Remember a build, in memory and in the cache folder."""
    _remember(name, memo)
    path = _path(name)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(_to_json(memo)))
        part.replace(path)


def forget() -> None:
    """Forget what is in memory."""
    _known.clear()


def _remember(name: str, memo: Memo) -> None:
    _known[name] = memo
    while len(_known) > KEPT:
        del _known[next(iter(_known))]


def _path(name: str) -> Path | None:
    folder = cache.folder()
    return folder / "builds" / f"{name}.json" if folder else None


@functools.cache
def _program() -> str:
    """The program that runs builds: this library's part of it, its libraries, and the machine's commands."""
    content = hashlib.sha256()
    for place in SOURCES:
        path = PACKAGES / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            content.update(file.read_bytes())
    for package in VERSIONS:
        content.update(importlib.metadata.version(package).encode())
    for name in sorted(host.ALLOWED):
        found = shutil.which(name, path=host.SEARCHED)
        content.update(f"{name} {found} {os.stat(found).st_size if found else 0}".encode())
    content.update(f"{platform.python_version()} {platform.platform()}".encode())
    return content.hexdigest()


def _to_json(memo: Memo) -> dict[str, Any]:
    return {
        "attempts": [
            {**vars(attempt), "exchanges": [exchange.to_json() for exchange in attempt.exchanges]}
            for attempt in memo.attempts
        ],
        "artifacts": {
            name: {**vars(found), "packed": base64.b64encode(found.packed).decode()}
            for name, found in memo.artifacts.items()
        },
        "exported": memo.exported,
    }


def _from_json(stored: dict[str, Any]) -> Memo:
    attempts = tuple(
        Attempt(**{**each, "exchanges": tuple(Exchange.from_json(exchange) for exchange in each["exchanges"])})
        for each in stored["attempts"]
    )
    artifacts = {
        name: Collected(**{**found, "packed": base64.b64decode(found["packed"])})
        for name, found in stored["artifacts"].items()
    }
    return Memo(attempts, artifacts, stored["exported"])
