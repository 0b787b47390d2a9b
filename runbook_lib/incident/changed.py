"""What changed between two revisions: fields of the task definition, the image, the files of the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib import service
from runbook_lib.account import Account
from runbook_lib.journal import HIDDEN, SECRET_NAME
from runbook_lib.system import System
from runbook_lib.table import Table, table

# What AWS adds to a registered revision, and what differs in each.
OWN = frozenset(
    {"taskDefinitionArn", "revision", "status", "registeredAt", "registeredBy", "requiresAttributes", "compatibilities"}
)


@dataclass(frozen=True)
class Difference:
    """A field with what it was and is; values of environment variables are never told."""

    field: str
    was: str
    is_now: str


def read_differences(account: Account, before: str | None, after: str | None) -> tuple[Difference, ...]:
    """The fields in which two revisions of a task definition differ; nothing where one of them is not known."""
    if not before or not after:
        return ()
    old, new = (service.read_task_definition(account, revision)["taskDefinition"] for revision in (before, after))
    return differences(old, new)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The fields in which two task definitions differ."""
    old, new = dict(_fields(before)), dict(_fields(after))
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return tuple(Difference(name, *(_told(name, side.get(name)) for side in (old, new))) for name in names)


def read_commit_files(account: Account, system: System, before: str, after: str) -> tuple[str, ...] | None:
    """The paths in which two commits differ; None where the source is none of CodeCommit's, or is gone."""
    if system.from_git_host:
        return None
    client = account.client("codecommit")
    pages = client.get_paginator("get_differences").paginate(
        repositoryName=system.repository, beforeCommitSpecifier=before, afterCommitSpecifier=after
    )
    gone = (client.exceptions.RepositoryDoesNotExistException, client.exceptions.CommitDoesNotExistException)
    try:
        found = [difference for page in pages for difference in page["differences"]]
    except gone:
        return None
    return tuple(sorted({(one.get("afterBlob") or one["beforeBlob"])["path"] for one in found}))


def differences_table(found: tuple[Difference, ...]) -> Table:
    """The differences, one line each."""
    rows = [{"field": one.field, "was": one.was, "is": one.is_now} for one in found]
    return table("What changed in the task definition", rows, ("field", "was", "is"))


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; things in lists that have names are told by them."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if path or key not in OWN:
                yield from _fields(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            name = inner.get("name", number) if isinstance(inner, Mapping) else number
            yield from _fields(inner, f"{path}[{name}]")
    else:
        yield path, value


def _told(name: str, value: Any) -> str:
    if value is None:
        return "-"
    hidden = ".environment[" in name and name.endswith(".value") and not _is_plain(name)
    return HIDDEN if hidden or SECRET_NAME.search(name) else str(value)


def _is_plain(name: str) -> bool:
    """A version is no secret, and says which one it is."""
    return "[APP_VERSION]" in name
