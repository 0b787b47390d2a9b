"""Names of images: registry/repository:tag@digest, with docker's rules and refusals (distribution/reference)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from runbook_lib.sandbox.shims.docker.failure import DockerError

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::\d+)?"
)
PATH = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """An image's name; tag and digest are None when they were not given."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """As docker prints it: without the registry for Docker Hub."""
        if self.registry != DOCKER_HUB:
            return f"{self.registry}/{self.repository}"
        return self.repository.removeprefix("library/")

    @property
    def tagged(self) -> Reference:
        """The same with the tag latest where none was given."""
        return self if self.tag or self.digest else replace(self, tag="latest")

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """The reference that this text stands for, or docker's `invalid reference format`."""
    rest, _, digest = text.partition("@")
    if digest and not DIGEST.fullmatch(digest):
        raise _invalid()
    slash, colon = rest.rfind("/"), rest.rfind(":")
    tag = rest[colon + 1 :] if colon > slash else None
    name = rest[:colon] if colon > slash else rest
    if tag is not None and not TAG.fullmatch(tag):
        raise _invalid()
    registry, repository = _split(name)
    return Reference(registry, repository, tag, digest or None)


def parse_argument(text: str, place: str, code: int = 1) -> Reference:
    """The same for an argument of a command, whose refusal begins with the place."""
    try:
        return parse(text)
    except DockerError as error:
        raise DockerError(f"{place}: {error.message}", code) from None


def _split(name: str) -> tuple[str, str]:
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        if not DOMAIN.fullmatch(first):
            raise _invalid()
        registry, repository = first, rest
    else:
        registry, repository = DOCKER_HUB, name
    if not PATH.fullmatch(repository):
        raise _lower_case() if PATH.fullmatch(repository.lower()) else _invalid()
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _invalid() -> DockerError:
    return DockerError("invalid reference format")


def _lower_case() -> DockerError:
    return DockerError("invalid reference format: repository name must be lowercase")
