"""Triggers with filters: which pushes through a connection start a pipeline of type V2.

Source: CodePipeline user guide, pipelines-filter and syntax-glob: an entry filters tags, branches, or branches with
file paths; a pipeline starts when one entry fits; what is excluded is so also when it is included. That a push with
paths of both kinds starts the pipeline for the others' sake is our reading: the guide does not say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from runbook_lib.sandbox import git_remote
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline.store import Definition

CONNECTION = "CodeStarSourceConnection"
COMBINATIONS = ({"tags"}, {"branches"}, {"branches", "filePaths"})
Refs = Mapping[str, str]  # whole name -> commit


@dataclass(frozen=True)
class Push:
    """A branch or tag that is new or stands for another commit now; `paths` tells which files its commits changed."""

    ref: str
    commit: str
    paths: Callable[[], tuple[str, ...]]


def check(definition: Definition) -> None:
    """Refuse triggers that name no source action of a connection, or filter by what does not go together."""
    provider = {action["name"]: action["actionTypeId"]["provider"] for action in definition["stages"][0]["actions"]}
    named = [trigger["gitConfiguration"]["sourceActionName"] for trigger in definition.get("triggers", ())]
    for name in named:
        if provider.get(name) != CONNECTION:
            raise _refused(f"The trigger's source action {name} is not a source action of type {CONNECTION}")
        if named.count(name) > 1:
            raise _refused(f"More than one trigger names the source action {name}")
    for trigger in definition.get("triggers", ()):
        _check_filters(trigger["gitConfiguration"])


def _check_filters(told: Mapping[str, Any]) -> None:
    if told.get("pullRequest"):
        text = "pull requests are not simulated: a git remote has branches and tags, but no pull requests"
        raise _refused(f"The trigger of source action {told['sourceActionName']}: {text}")
    for entry in told.get("push", ()):
        kinds = {kind for kind in ("tags", "branches", "filePaths") if entry.get(kind)}
        if kinds not in COMBINATIONS:
            given = ", ".join(sorted(kinds)) or "nothing"
            raise _refused(f"A push filter takes tags, branches, or branches with filePaths; it was given {given}")


def of(definition: Definition, action: str) -> Mapping[str, Any] | None:
    """The git configuration of the trigger of a source action; None when it has none."""
    told = (trigger["gitConfiguration"] for trigger in definition.get("triggers", ()))
    return next((one for one in told if one["sourceActionName"] == action), None)


def pushes(remote: str, before: Refs, now: Refs) -> tuple[Push, ...]:
    """What was pushed between two looks, in the order of the names; what was deleted is no push."""

    def pushed(ref: str, commit: str) -> Push:
        return Push(ref, commit, lambda: git_remote.changed(remote, commit, before.values()))

    return tuple(pushed(ref, commit) for ref, commit in sorted(now.items()) if before.get(ref) != commit)


def starts(told: Mapping[str, Any], branch: str, push: Push) -> bool:
    """Whether a push starts the pipeline; without a filter, a push to the action's own branch does."""
    entries = told.get("push", ())
    if not entries:
        return push.ref == git_remote.HEADS + branch
    return any(_fits(entry, push) for entry in entries)


def _fits(entry: Mapping[str, Any], push: Push) -> bool:
    if "tags" in entry:
        return push.ref.startswith(git_remote.TAGS) and _passes(entry["tags"], push.ref.removeprefix(git_remote.TAGS))
    if not push.ref.startswith(git_remote.HEADS):
        return False
    if not _passes(entry["branches"], push.ref.removeprefix(git_remote.HEADS)):
        return False
    return "filePaths" not in entry or any(_passes(entry["filePaths"], path) for path in push.paths())


def _passes(criteria: Mapping[str, Any], name: str) -> bool:
    includes, excludes = criteria.get("includes", ()), criteria.get("excludes", ())
    if any(_pattern(glob).fullmatch(name) for glob in excludes):
        return False
    return not includes or any(_pattern(glob).fullmatch(name) for glob in includes)


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression: * and ? stay within a folder, ** does not, {a,b} are alternatives."""
    parts = re.findall(r"\*\*|\[[^\]]+\]|\\.|.", glob, re.DOTALL)
    depth, written = 0, []
    for part in parts:
        depth += (part == "{") - (part == "}")
        written.append("|" if part == "," and depth else _WRITTEN.get(part) or _literal(part))
    return re.compile("".join(written), re.DOTALL)


def _literal(part: str) -> str:
    if part.startswith("[") and len(part) > 1:
        return "[^" + part[2:] if part.startswith("[!") else part
    return re.escape(part.removeprefix("\\") or part)


_WRITTEN = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def _refused(text: str) -> AwsError:
    return AwsError("InvalidStructureException", text)
