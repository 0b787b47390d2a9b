"""Finds the deployment files of a folder: at its top under their usual names, else below it, also under other names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook_lib.preflight.tree import Tree

MOST_OF_A_KIND = 50  # files whose name says that they may be one of a kind; the others are not looked into
MOST_SEARCHED = 16 << 20  # characters of templates that are searched for a transform
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
    "buildspec": re.compile(r"^[ \t]*phases[ \t]*:", re.MULTILINE),
    "taskdef": re.compile(r"\"containerDefinitions\""),
    "appspec": re.compile(r"TargetService|AWS::ECS::Service|\"?Resources\"?[ \t]*:"),
    "dockerfile": re.compile(r"^[ \t]*FROM\s", re.MULTILINE | re.IGNORECASE),
}
# Of several files the one that does more of this is meant.
TELLS: dict[str, re.Pattern[str]] = {
    "buildspec": re.compile(r"docker[ \t]+(?:image[ \t]+)?(?:build|push)|imageDetail|imagedefinitions"),
    "taskdef": re.compile(r"<[A-Z0-9_]+>"),
    "appspec": re.compile(r"<TASK_DEFINITION>"),
    "dockerfile": re.compile(r"^[ \t]*EXPOSE\s", re.MULTILINE | re.IGNORECASE),
}


def find(tree: Tree) -> dict[str, tuple[str, ...]]:
    """Part -> paths below the folder, with slashes: the one that is meant first, then others of its kind."""
    found = {part: _candidates(tree, part) for part in USUAL}
    return {part: paths for part, paths in found.items() if paths}


def _candidates(tree: Tree, part: str) -> tuple[str, ...]:
    usual = [name for name in USUAL[part] if name in tree.below]
    named = [path for path in tree.below if NAMED[part].fullmatch(path.rpartition("/")[2]) and path not in usual]
    named.sort(key=lambda path: (path.count("/"), path))
    looked_at = ((path, tree.looked_at(path)) for path in named[:MOST_OF_A_KIND])
    telling = [(path, text) for path, text in looked_at if SAYS[part].search(text)]
    # The more it tells the better; then the shallower; then by name, so that the answer is always the same.
    telling.sort(key=lambda one: (-len(TELLS[part].findall(one[1])), one[0].count("/"), one[0]))
    return (*usual, *(path for path, _ in telling))


def transforms(tree: Tree) -> tuple[tuple[str, ...], bool]:
    """Templates that use CloudFormation's own blue/green transform, and whether all of them were searched."""
    searched = 0
    found: list[str] = []
    for path in _templates(tree):
        if searched > MOST_SEARCHED:
            return tuple(found), False
        text = tree.looked_at(path)
        searched += len(text)
        found += [path] * ("AWS::CodeDeployBlueGreen" in text)
    return tuple(found), True


def _templates(tree: Tree) -> Iterator[str]:
    return (path for path in tree.below if path.endswith((".yml", ".yaml", ".json", ".template")))
