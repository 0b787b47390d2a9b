"""Finds the deployment files of a folder: at its top under their usual names, else below it, also under other names."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

DEEPEST, MOST, LARGEST = 4, 20_000, 4 * 1024 * 1024
SKIPPED = frozenset({"node_modules", "vendor", "venv", "target", "dist", "__pycache__"})
USUAL: dict[str, tuple[str, ...]] = {
    "buildspec": ("buildspec.yml", "buildspec.yaml"),
    "taskdef": ("taskdef.json", "task-definition.json"),
    "appspec": ("appspec.yaml", "appspec.yml", "appspec.json"),
    "dockerfile": ("Dockerfile", "dockerfile"),
}
NAMED: dict[str, re.Pattern[str]] = {
    "buildspec": re.compile(r".*build-?_?spec.*\.ya?ml", re.IGNORECASE),
    "taskdef": re.compile(r".*task[-_]?def.*\.json", re.IGNORECASE),
    "appspec": re.compile(r".*appspec.*\.(ya?ml|json)", re.IGNORECASE),
    "dockerfile": re.compile(r"(dockerfile|.*\.dockerfile)", re.IGNORECASE),
}
# What such a file says, whatever it is called; an AppSpec of CodeDeploy for servers is none of ours.
SAYS: dict[str, re.Pattern[str]] = {
    "buildspec": re.compile(r"^\s*phases\s*:", re.MULTILINE),
    "taskdef": re.compile(r"\"containerDefinitions\""),
    "appspec": re.compile(r"TargetService|AWS::ECS::Service|\"?Resources\"?\s*:"),
    "dockerfile": re.compile(r"^\s*FROM\s", re.MULTILINE | re.IGNORECASE),
}
# Of several files the one that does more of this is meant.
TELLS: dict[str, re.Pattern[str]] = {
    "buildspec": re.compile(r"docker\s+(?:image\s+)?(?:build|push)|imageDetail|imagedefinitions"),
    "taskdef": re.compile(r"<[A-Z0-9_]+>"),
    "appspec": re.compile(r"<TASK_DEFINITION>"),
    "dockerfile": re.compile(r"^\s*EXPOSE\s", re.MULTILINE | re.IGNORECASE),
}


def find(directory: Path, below: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Part -> paths below the folder, with slashes: the one that is meant first, then others of its kind."""
    found = {part: _candidates(directory, part, below) for part in USUAL}
    return {part: paths for part, paths in found.items() if paths}


def _candidates(directory: Path, part: str, below: Mapping[str, int]) -> tuple[str, ...]:
    usual = [name for name in USUAL[part] if name in below]
    named = [path for path in below if NAMED[part].fullmatch(path.rpartition("/")[2]) and path not in usual]
    telling = [(path, text) for path in named if SAYS[part].search(text := _text(directory / path))]
    # The more it tells the better; then the shallower; then by name, so that the answer is always the same.
    telling.sort(key=lambda one: (-len(TELLS[part].findall(one[1])), one[0].count("/"), one[0]))
    return (*usual, *(path for path, _ in telling))


def files_below(directory: Path) -> dict[str, int]:
    """The files of a folder with their sizes in bytes, as far down as deployment files are looked for."""
    paths = itertools.islice(_below(directory), MOST)
    return {path: (directory / path).stat().st_size for path in paths if (directory / path).is_file()}


def transforms(directory: Path, below: Mapping[str, int]) -> tuple[str, ...]:
    """Templates that use CloudFormation's own blue/green transform."""
    templates = [path for path in below if path.endswith((".yml", ".yaml", ".json", ".template"))]
    return tuple(path for path in templates if "AWS::CodeDeployBlueGreen" in _text(directory / path))


def _below(directory: Path) -> Iterator[str]:
    for top, folders, files in os.walk(directory):
        depth = len(Path(top).relative_to(directory).parts)
        folders[:] = sorted(name for name in folders if depth < DEEPEST and name not in SKIPPED and name != ".git")
        for name in sorted(files):
            yield (Path(top) / name).relative_to(directory).as_posix()


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > LARGEST:
        return ""
    return path.read_bytes().decode("utf-8", errors="replace")
