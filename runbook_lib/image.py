"""The image registry: its repository, and the digest that a tag stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Step
from runbook_lib.system import System, tag_list

# Only untagged images expire: a digest that a task set or a former revision needs always carries its commit's tag.
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "untagged images go after 14 days",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
}


@dataclass(frozen=True)
class Image:
    """A pushed image."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


@dataclass(frozen=True)
class Registry:
    """What exists of the ECR repository; `uri` is None while it does not exist."""

    name: str
    uri: str | None
    has_lifecycle: bool
    images: tuple[Image, ...]  # newest first

    def by_digest(self, digest: str) -> Image | None:
        return next((image for image in self.images if image.digest == digest), None)


def read_registry(account: Account, system: System) -> Registry:
    """What exists of the system's image registry, with its images."""
    ecr = account.client("ecr")
    try:
        found = ecr.describe_repositories(repositoryNames=[system.registry])["repositories"][0]
    except ecr.exceptions.RepositoryNotFoundException:
        return Registry(system.registry, None, False, ())
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=system.registry)
    images = [
        Image(image["imageDigest"], tuple(sorted(image.get("imageTags", ()))), image["imagePushedAt"])
        for page in pages
        for image in page["imageDetails"]
    ]
    newest = sorted(images, key=lambda image: (image.pushed_at, image.digest), reverse=True)
    return Registry(system.registry, found["repositoryUri"], _has_lifecycle(ecr, system.registry), tuple(newest))


def plan_registry(system: System, registry: Registry, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the image registry; tags stay mutable, for the application's own buildspec chooses them."""
    return (
        make(
            "registry",
            "Make the image registry",
            "ecr:create_repository",
            {
                "repositoryName": system.registry,
                "imageScanningConfiguration": {"scanOnPush": True},
                "tags": tag_list(system.tags),
            },
            made=Made("ecr:repository", system.registry),
            found={"repository": {"repositoryUri": registry.uri}} if registry.uri else None,
            items=items,
        ),
        change(
            "registry.lifecycle",
            "Let untagged images expire",
            "ecr:put_lifecycle_policy",
            {"repositoryName": system.registry, "lifecyclePolicyText": json.dumps(LIFECYCLE)},
            touches=system.registry,
            needed=None if registry.has_lifecycle else "only images that no revision can need",
            undo=GONE_BY_TEARDOWN,
        ),
    )


def _has_lifecycle(ecr: Any, name: str) -> bool:
    try:
        ecr.get_lifecycle_policy(repositoryName=name)
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return False
    return True
