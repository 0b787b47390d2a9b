"""ECR: repositories, images by the digest of their manifest, and what the rest of the sandbox asks of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.ecr import images, layers, lifecycle, lookup, preview, repositories
from runbook_lib.sandbox.services.ecr.store import EcrStore, Image, Repository, Stored
from runbook_lib.sandbox.shims.docker import image as docker

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "Image", "image", "push", "stored"]

STORE = EcrStore
OPERATIONS = {**repositories.OPERATIONS, **images.OPERATIONS, **layers.OPERATIONS, **preview.OPERATIONS}
HANDLERS = lifecycle.HANDLERS

URI = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]+))?"
)


def image(world: World, uri: str) -> Image | None:
    """The image behind a URI of this account's registry, by digest or tag (latest without one); None if it is gone."""
    found = stored(world, uri)
    return _image(*found) if found else None


def stored(world: World, uri: str) -> tuple[Repository, Stored] | None:
    """The same, as the registry keeps it, with the repository that holds its layers."""
    found = URI.fullmatch(uri)
    if found is None or found.group(1) != world.settings.account:
        return None
    region, name, tag, digest = found.groups()[1:]
    repository = lookup.repositories(world, region).get(name)
    if repository is None:
        return None
    held = repository.images.get(digest) if digest else repository.tagged(tag or "latest")
    return (repository, held) if held else None


def push(world: World, repository: str, tag: str, image: Image) -> Image:
    """Put an image into a repository of the world's region, as docker would; the same again changes nothing."""
    kept = lookup.repositories(world, world.settings.region)[repository]
    made = _docker_image(image)
    kept.layers.update({docker.digest(blob): blob for blob in made.blobs})
    there = kept.images.get(made.digest)
    if there is None or tag not in there.tags:
        new = Stored(made.digest, made.manifest.decode(), docker.MANIFEST, world.now)
        there = images.add(world, kept, new, tag)
    return _image(kept, there)


def _docker_image(image: Image) -> docker.Image:
    config = docker.Config(
        platform=image.platform,
        environment=dict(image.environment),
        command=tuple(image.command),
        exposed=tuple(f"{port}/tcp" for port in image.exposed),
    )
    return docker.Image(config, (docker.layer([image.files]),))


def _image(repository: Repository, stored: Stored) -> Image:
    descriptor = stored.content.get("config", {}).get("digest", "")
    config = docker.read_config(repository.layers.get(descriptor, b"{}"))
    return Image(
        digest=stored.digest,
        tags=tuple(stored.tags),
        environment=config.environment,
        exposed=[int(port.partition("/")[0].partition("-")[0]) for port in config.exposed],
        command=[*config.entrypoint, *config.command],
        platform=config.platform,
        files=docker.digest("".join(layer["digest"] for layer in stored.layers).encode()),
        pushed_at=stored.pushed_at,
    )
