"""What CodeCommit remembers of each repository."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class CodeCommitStore:
    """The repositories, by name."""

    repositories: dict[str, Repository] = field(default_factory=dict)
