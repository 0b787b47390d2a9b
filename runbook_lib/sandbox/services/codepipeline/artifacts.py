"""Artifacts: ZIP files in the artifact store, under CodePipeline's key layout."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline.store import pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def place(world: World, name: str, artifact: str) -> tuple[str, str]:
    """Where a new artifact goes: bucket, and <pipeline>/<artifact>/<seven letters>."""
    definition = pipeline(world, name).definition
    stores = definition.get("artifactStores") or {world.settings.region: definition["artifactStore"]}
    bucket = stores[world.settings.region]["location"]
    return bucket, f"{name[:20]}/{artifact[:10]}/{world.ids.hex('artifact', 7)}"


def put(world: World, name: str, artifact: str, body: bytes) -> tuple[str, str]:
    """Keep an artifact and say where."""
    bucket, key = place(world, name, artifact)
    world.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return bucket, key


def get(world: World, where: tuple[str, str]) -> bytes:
    """An artifact's ZIP."""
    body: bytes = world.client("s3").get_object(Bucket=where[0], Key=where[1])["Body"].read()
    return body


def get_object(world: World, bucket: str, key: str) -> tuple[bytes, str] | None:
    """An object with its version, None when there is none."""
    from botocore.exceptions import ClientError

    try:
        found = world.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
            return None
        raise
    return found["Body"].read(), found.get("VersionId", "null")


def file(body: bytes, path: str) -> bytes | None:
    """A file of an artifact's ZIP, None when it is not in it."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read(path) if path in archive.namelist() else None


def packed(files: Mapping[str, Any]) -> bytes:
    """A ZIP of JSON files, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), json.dumps(value))
    return buffer.getvalue()
