"""What CodeCommit remembers of each repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runbook_lib.sandbox.services.codecommit.git import Store


@dataclass
class Repository:
    """A repository; the default branch is None until the first commit."""

    name: str
    id: str
    description: str | None
    created: float
    modified: float
    tags: dict[str, str]
    kms_key: str | None = None
    default_branch: str | None = None
    git: Store = field(default_factory=Store)
    triggers: list[dict[str, Any]] = field(default_factory=list)
    trigger_configuration: str = ""  # the id of the last PutRepositoryTriggers, "" before the first


@dataclass
class PullRequest:
    """A pull request of one branch into another; `tips` and `merged` are None until it is closed and merged."""

    id: str
    title: str
    description: str | None
    author: str  # ARN
    repository: str
    source: str
    destination: str
    created: float
    active: float
    revision: str
    status: str = "OPEN"
    tips: tuple[str, str] | None = None  # the commits of source and destination
    merged: tuple[str, str, str] | None = None  # how, as which commit, by whom


@dataclass
class CodeCommitStore:
    """The repositories by name, and the pull requests of all of them by id."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    pull_requests: dict[str, PullRequest] = field(default_factory=dict)
