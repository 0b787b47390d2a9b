"""Artifacts: the files that a buildspec names, and where they go (build-spec-ref, artifacts)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild import authority, lookup
from runbook_lib.sandbox.services.codebuild.authority import Wish
from runbook_lib.sandbox.services.codebuild.buildspec import ArtifactSpec, Spec
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Build, Collected, Place
from runbook_lib.sandbox.services.codecommit.archive import Member, pack, unpack
from runbook_lib.sandbox.shims.docker import ignore
from runbook_lib.sandbox.shims.seat import Seat

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NOTHING = "no matching artifact paths found"
UPLOAD_FAILED = "Error in UPLOAD_ARTIFACTS phase: [{}]"
NO_BASE = "no matching base directory path found for {}"


def collect(source: Path, spec: ArtifactSpec, seat: Seat) -> Collected:
    """The artifact of a source folder; the host's own paths are taken out of the files."""
    shown = spec.base or "."
    found = Collected([f"Expanding base directory path: {shown}", "Assembling file list", f"Expanding {shown}"])
    bases = _bases(source, spec.base, seat.root)
    if not bases:
        found.problem = NO_BASE.format(spec.base)
        return found
    found.said += [f"Expanding file paths for base directory {shown}", "Assembling file list"]
    files = {path: base / path for base in bases for path in _matching(base, spec, found.said)}
    if not files:
        found.problem = NOTHING
        return found
    found.said.append(f"Found {len(files)} file(s)")
    found.packed = pack({_name(path, spec): _member(file, seat.clean) for path, file in files.items()})
    return found


def _bases(source: Path, base: str, root: str) -> list[Path]:
    """The folders that a base-directory names; what begins with / begins at the build's own root."""
    wanted = Path(root + base) if base.startswith("/") else source / base
    if not ignore.is_pattern(base):
        return [wanted] if wanted.is_dir() else []
    return sorted(path for path in source.glob(base) if path.is_dir())


def _matching(base: Path, spec: ArtifactSpec, said: list[str]) -> list[str]:
    files = [Path(folder, name) for folder, _, names in os.walk(base) for name in names]
    every = sorted(str(path.relative_to(base)) for path in files if path.is_file())  # a dangling link is none
    chosen: dict[str, None] = {}
    for pattern in spec.files:
        wanted = pattern.removeprefix("./")
        said.append(f"Expanding {pattern}")
        matching = [path for path in every if path == wanted or ignore.matches(wanted, path)]
        if not matching and not ignore.is_pattern(wanted):
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
    config, where = place
    if authority.refusal(world, build, Wish("s3:PutObject", lookup.object_arn(world, where))):
        raise PhaseFailed("CLIENT_ERROR", UPLOAD_FAILED.format("AccessDenied: Access Denied status code: 403"))
    whole = config["type"] == PIPELINE or config.get("packaging") == "ZIP"
    sums = {"sha256": hashlib.sha256(packed).hexdigest(), "md5": hashlib.md5(packed, usedforsecurity=False).hexdigest()}
    if whole:
        _put(world, where, packed, **{f"codebuild-content-{name}": value for name, value in sums.items()})
    else:
        for path, member in unpack(packed).items():
            _put(world, Place(where.bucket, f"{where.key}/{path}".lstrip("/")), member.content)
    build.uploaded[identifier] = {
        "location": lookup.object_arn(world, where),
        "sha256sum": sums["sha256"] if whole else "",
        "md5sum": sums["md5"] if whole else "",
        "overrideArtifactName": bool(config.get("overrideArtifactName", False)),
        "encryptionDisabled": bool(config.get("encryptionDisabled", False)),
        **({"artifactIdentifier": identifier} if identifier else {}),
    }


def planned(world: World, build: Build) -> dict[str, Any]:
    """What is known of the primary artifact before it is there: where it will be, unless the buildspec says."""
    place = _place(build, "", ArtifactSpec(()))
    return {"location": lookup.object_arn(world, place[1]) if place else ""}


def _put(world: World, place: Place, content: bytes, **metadata: str) -> None:
    from runbook_lib.sandbox import moto_objects

    client = world.client("s3")
    try:
        client.put_object(Bucket=place.bucket, Key=place.key, Body=content, Metadata=metadata)
    except client.exceptions.NoSuchBucket as error:
        told = error.response["Error"]
        raise PhaseFailed("CLIENT_ERROR", UPLOAD_FAILED.format(f"{told['Code']}: {told['Message']}")) from None
    moto_objects.lay_down(world, place.bucket, place.key)


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
