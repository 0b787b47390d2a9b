"""The name of a container image, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The form of an ECR address: Amazon ECR user guide, "Amazon ECR private registries".
_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_REFERENCE = re.compile(
    r"(?P<path>[a-z0-9][a-z0-9._:/-]*?[a-z0-9]|[a-z0-9])(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class ImageUri:
    """Registry, repository and tag or digest; `account` and `region` are empty outside of a private ECR registry."""

    text: str
    registry: str
    repository: str
    account: str = ""
    region: str = ""
    tag: str = ""
    digest: str = ""


def image_uri(text: str) -> ImageUri | None:
    """Take an image's name apart; None when it is no image name (a placeholder, a variable, a stray word)."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        return None
    registry, _, repository = found["path"].rpartition("/") if "/" not in found["path"] else _split(found["path"])
    ecr = _ECR.fullmatch(registry)
    return ImageUri(
        text,
        registry,
        repository,
        account=ecr["account"] if ecr else "",
        region=ecr["region"] if ecr else "",
        tag=found["tag"] or "",
        digest=found["digest"] or "",
    )


def _split(path: str) -> tuple[str, str, str]:
    first, slash, rest = path.partition("/")
    is_host = "." in first or ":" in first or first == "localhost"
    return (first, slash, rest) if is_host else ("", "", path)
