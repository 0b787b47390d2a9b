"""Artifacts: the files that a buildspec names, and where they go (build-spec-ref, artifacts)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild.buildspec import ArtifactSpec, Spec
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Build, Collected, Place
from runbook_lib.sandbox.services.codecommit.archive import Member, pack, unpack
from runbook_lib.sandbox.shims.docker import ignore

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NOTHING = "no matching artifact paths found"
NO_BASE = "no matching base directory path found for {}"


def collect(source: Path, spec: ArtifactSpec, clean: Callable[[bytes], bytes]) -> Collected:
    """The artifact of a source folder; `clean` takes the host's own paths out of the files."""
    found = Collected([f"Expanding base directory path: {spec.base or '.'}", "Assembling file list"])
    base = source / spec.base if spec.base else source
    found.said += [f"Expanding {spec.base or '.'}"]
    if not base.is_dir():
        found.problem = NO_BASE.format(spec.base)
        return found
    found.said += [f"Expanding file paths for base directory {spec.base or '.'}", "Assembling file list"]
    paths = _matching(base, spec, found.said)
    if not paths:
        found.problem = NOTHING
        return found
    found.said.append(f"Found {len(paths)} file(s)")
    found.packed = pack({_name(path, spec): _member(base / path, clean) for path in paths})
    return found


def _matching(base: Path, spec: ArtifactSpec, said: list[str]) -> list[str]:
    every = sorted(str(Path(folder, name).relative_to(base)) for folder, _, names in os.walk(base) for name in names)
    chosen: dict[str, None] = {}
    for pattern in spec.files:
        wanted = pattern.removeprefix("./")
        said.append(f"Expanding {pattern}")
        matching = [path for path in every if path == wanted or ignore.matches(wanted, path)]
        if not matching:
            said.append(f"Skipping invalid file path {pattern}")
        chosen |= dict.fromkeys(matching)
    return [path for path in chosen if not _excluded(path, spec.exclude)]


def _excluded(path: str, patterns: Sequence[str]) -> bool:
    return any(ignore.matches(pattern.removeprefix("./"), path) for pattern in patterns)


def _name(path: str, spec: ArtifactSpec) -> str:
    return path.rpartition("/")[2] if spec.discard_paths else path


def _member(path: Path, clean: Callable[[bytes], bytes]) -> Member:
    return Member(0o100755 if os.access(path, os.X_OK) else 0o100644, clean(path.read_bytes()))


def wanted(build: Build, spec: Spec) -> dict[str, ArtifactSpec]:
    """The artifacts that somebody waits for, by identifier; the primary one has none ("")."""
    every = {**({"": spec.artifacts} if spec.artifacts else {}), **spec.secondary}
    return {name: artifact for name, artifact in every.items() if _place(build, name, artifact)}


def upload(world: World, build: Build, identifier: str, packed: bytes, spec: ArtifactSpec) -> None:
    """Put an artifact where the pipeline or the project wants it."""
    place = _place(build, identifier, spec)
    if place is None:
        return
    client, (config, where) = world.client("s3"), place
    if config.get("packaging") == "NONE" and config["type"] == "S3":
        for path, member in unpack(packed).items():
            _put(client, Place(where.bucket, f"{where.key}/{path}".lstrip("/")), member.content)
    else:
        _put(client, where, packed)
    build.uploaded[identifier] = {
        "location": where.arn,
        "sha256sum": hashlib.sha256(packed).hexdigest(),
        "md5sum": hashlib.md5(packed, usedforsecurity=False).hexdigest(),
        "overrideArtifactName": bool(config.get("overrideArtifactName", False)),
        "encryptionDisabled": bool(config.get("encryptionDisabled", False)),
        **({"artifactIdentifier": identifier} if identifier else {}),
    }


def _put(client: Any, place: Place, content: bytes) -> None:
    try:
        client.put_object(Bucket=place.bucket, Key=place.key, Body=content)
    except client.exceptions.NoSuchBucket as error:
        told = error.response["Error"]
        raise PhaseFailed("CLIENT_ERROR", f"Error in UPLOAD_ARTIFACTS phase: [{told['Message']}]") from None


def _place(build: Build, identifier: str, spec: ArtifactSpec) -> tuple[dict[str, Any], Place] | None:
    """The project's artifact of that identifier and the object it becomes; None where nothing is to be uploaded."""
    order, settings = build.plan.order, build.plan.settings
    if order is not None:
        places = list(order.outputs.values())
        wanted = order.outputs.get(identifier) if identifier else (places[0] if len(places) == 1 else None)
        return ({"type": PIPELINE}, wanted) if wanted else None
    configured = [settings["artifacts"], *settings.get("secondaryArtifacts", ())]
    config = next((each for each in configured if each.get("artifactIdentifier", "") == identifier), None)
    if config is None or config["type"] != "S3":
        return None
    return config, Place(config["location"], _key(build, config, spec))


def _key(build: Build, config: dict[str, Any], spec: ArtifactSpec) -> str:
    """Path, build id and name (CodeBuild API reference, ProjectArtifacts)."""
    name = spec.name if config.get("overrideArtifactName") and spec.name else config.get("name", build.plan.project)
    parts = [config.get("path", ""), build.uuid if config.get("namespaceType") == "BUILD_ID" else "", name]
    key = "/".join(part.strip("/") for part in parts if part.strip("/"))
    return f"{key}.zip" if config.get("packaging") == "ZIP" and not key.endswith(".zip") else key
