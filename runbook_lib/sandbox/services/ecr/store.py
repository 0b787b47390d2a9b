"""What ECR remembers: the registry of each region, its repositories, their images and layers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Image:
    """An image as the rest of the sandbox sees it; without a digest it is one that is still to be pushed."""

    digest: str = ""
    tags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    exposed: Sequence[int] = ()
    command: Sequence[str] = ()
    platform: str = "linux/amd64"
    files: str = ""  # what stands for the content of all layers
    pushed_at: float = 0.0


@dataclass
class Stored:
    """A manifest under its digest, with its tags in the order of their coming."""

    digest: str
    manifest: str
    media_type: str
    pushed_at: float
    tags: list[str] = field(default_factory=list)
    pulled_at: float | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The manifest, read."""
        found: dict[str, Any] = json.loads(self.manifest)
        return found

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The descriptors of its layers; none for an index of several platforms."""
        found: list[dict[str, Any]] = self.content.get("layers", [])
        return found

    @property
    def size(self) -> int:
        return sum(int(layer.get("size", 0)) for layer in self.layers)


@dataclass(frozen=True)
class Preview:
    """What a lifecycle policy would do: digests with the priority of the rule that expires them."""

    text: str
    ready: float  # from when on it is complete
    expiring: tuple[tuple[str, int], ...]


@dataclass
class Repository:
    """A repository: settings as the caller gave them, images by digest, layers by digest, uploads by id."""

    name: str
    arn: str
    uri: str
    created: float
    mutability: str
    exclusions: list[dict[str, str]]
    scanning: dict[str, Any]
    encryption: dict[str, Any]
    tags: dict[str, str]
    policy: str | None = None
    lifecycle: str | None = None
    evaluated_at: float | None = None
    preview: Preview | None = None
    images: dict[str, Stored] = field(default_factory=dict)
    layers: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def tagged(self, tag: str) -> Stored | None:
        """The image that has a tag."""
        return next((image for image in self.images.values() if tag in image.tags), None)


@dataclass
class EcrStore:
    """The repositories of each region, by name."""

    regions: dict[str, dict[str, Repository]] = field(default_factory=dict)
