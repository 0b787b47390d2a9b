"""Artifacts: ZIP files in the artifact store, under CodePipeline's key layout."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline.failure import asking
from runbook_lib.sandbox.services.codepipeline.store import Definition, Place, pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
CLONE_REFERENCE = "CODEBUILD_CLONE_REF"


def place(world: World, name: str, artifact: str) -> Place:
    """Where a new artifact goes: bucket, and <pipeline>/<artifact>/<seven letters>."""
    bucket = store_of(pipeline(world, name).definition, world.settings.region)
    return bucket, f"{name[:20]}/{artifact[:10]}/{world.ids.hex('artifact', 7)}"


def store_of(definition: Definition, region: str) -> str:
    """The bucket of a pipeline's artifacts in a region."""
    stores = definition.get("artifactStores") or {region: definition["artifactStore"]}
    return str(stores[region]["location"])


def put(world: World, name: str, artifact: str, body: bytes) -> Place:
    """Keep an artifact and say where."""
    from runbook_lib.sandbox import moto_objects

    bucket, key = place(world, name, artifact)
    with asking("Amazon S3"):
        world.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    moto_objects.lay_down(world, bucket, key)
    return bucket, key


def get(world: World, where: Place) -> bytes:
    """An artifact's ZIP."""
    with asking("Amazon S3"):
        body: bytes = world.client("s3").get_object(Bucket=where[0], Key=where[1])["Body"].read()
    return body


def file(body: bytes, path: str) -> bytes | None:
    """A file of an artifact's ZIP, None when it is not in it or when this is no ZIP."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return archive.read(path) if path in archive.namelist() else None
    except zipfile.BadZipFile:
        return None


def is_reference(definition: Definition, artifact: str) -> bool:
    """Whether an artifact is only a reference to a commit, which CodeBuild clones and nobody else can read.

    In the sandbox it has the files in it all the same, because CodeBuild takes them from there.
    """
    made_by = [
        action
        for stage in definition["stages"]
        for action in stage["actions"]
        if artifact in [one["name"] for one in action["outputArtifacts"]]
    ]
    return any(is_clone_reference(action["configuration"]) for action in made_by)


def is_clone_reference(told: Mapping[str, str]) -> bool:
    """Whether a source action with this configuration hands over references to commits."""
    return told.get("OutputArtifactFormat") == CLONE_REFERENCE


def packed(files: Mapping[str, Any]) -> bytes:
    """A ZIP of JSON files, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), json.dumps(value))
    return buffer.getvalue()
