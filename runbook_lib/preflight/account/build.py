"""What CodeBuild and ECR say: the project that builds, and the registry that holds what it built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.preflight.live import Project, Registry

if TYPE_CHECKING:
    from runbook_lib.account import Account


def read_project(account: Account, name: str) -> Project | None:
    """A build project; None when there is none of that name."""
    found = account.client("codebuild").batch_get_projects(names=[name])["projects"]
    if not found:
        return None
    environment = found[0]["environment"]
    logs = found[0].get("logsConfig", {}).get("cloudWatchLogs", {})
    return Project(
        name=name,
        privileged=environment.get("privilegedMode", False),
        environment=environment["type"],
        role=found[0]["serviceRole"],
        # Builds write to /aws/codebuild/<project> where the project names no group (CodeBuild user guide).
        logs="" if logs.get("status") == "DISABLED" else logs.get("groupName") or f"/aws/codebuild/{name}",
    )


def read_registry(account: Account, name: str) -> Registry:
    """A registry with all of its images."""
    ecr = account.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
    images = [image for page in pages for image in page["imageDetails"]]
    return Registry(
        name=name,
        mutable=found["imageTagMutability"].startswith("MUTABLE"),
        digests=frozenset(image["imageDigest"] for image in images),
        tags=frozenset(tag for image in images for tag in image.get("imageTags", ())),
    )
