"""Where the source of a build comes from: a pipeline's artifact, S3, CodeCommit, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Build, Place, Source
from runbook_lib.sandbox.services.codecommit.archive import Member, pack, unpack

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

HEADS = "refs/heads/"


def fetch_all(world: World, build: Build) -> dict[str, Source]:
    """The sources by identifier; the primary one has none ("")."""
    order = build.plan.order
    if order is not None:
        return {
            name if number else "": _from_s3(world, place, order.revision if not number else "")
            for number, (name, place) in enumerate(order.sources.items())
        }
    plan = build.plan
    extra = {each["sourceIdentifier"]: each for each in plan.settings.get("secondarySources", ())}
    primary = FETCH[plan.source["type"]](world, plan.source, plan.source_version)
    versions = {each["sourceIdentifier"]: each["sourceVersion"] for each in _secondary_versions(build)}
    fetched = {name: FETCH[each["type"]](world, each, versions.get(name)) for name, each in extra.items()}
    return {"": primary, **fetched}


def _secondary_versions(build: Build) -> Sequence[Mapping[str, str]]:
    found: Sequence[Mapping[str, str]] = build.plan.settings.get("secondarySourceVersions", ())
    return found


def members(source: Source) -> dict[str, Member]:
    """The files of a source; refuses what is no archive, or would unpack beside its folder."""
    try:
        found = unpack(source.packed)
    except BadZipFile:
        raise PhaseFailed("CLIENT_ERROR", f"zip: not a valid zip file for primary source {source.url}") from None
    for path in found:
        if path.startswith("/") or ".." in path.split("/"):
            raise PhaseFailed("CLIENT_ERROR", f"illegal file path {path} in primary source {source.url}")
    return found


def _from_s3(world: World, place: Place, revision: str) -> Source:
    client = world.client("s3")
    try:
        packed = client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
    except (client.exceptions.NoSuchKey, client.exceptions.NoSuchBucket) as error:
        told = error.response["Error"]
        raise PhaseFailed(
            "CLIENT_ERROR",
            f"{told['Code']}: {told['Message']} for primary source and source version {place.arn}",
        ) from None
    return Source(packed, revision, "")


def _s3(world: World, source: Mapping[str, Any], version: str | None) -> Source:
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    if not key.endswith("/"):
        found = _from_s3(world, Place(bucket, key), "")
        return Source(found.packed, "", f"{bucket}/{key}")
    client = world.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    files = {
        name.removeprefix(key): Member(0o100644, client.get_object(Bucket=bucket, Key=name)["Body"].read())
        for name in keys
        if not name.endswith("/")
    }
    return Source(pack(files), "", source["location"])


def _codecommit(world: World, source: Mapping[str, Any], version: str | None) -> Source:
    from runbook_lib.sandbox.services import codecommit

    repository = source["location"].rstrip("/").rpartition("/")[2].removesuffix(".git")
    try:
        wanted = (version or codecommit.default_branch(world, repository)).removeprefix(HEADS)
        commit, packed = codecommit.archive_of(world, repository, wanted)
    except AwsError as error:
        raise PhaseFailed(
            "CLIENT_ERROR", f"{error.message} for primary source and source version {version or ''}"
        ) from None
    return Source(packed, commit, source["location"])


def _nothing(world: World, source: Mapping[str, Any], version: str | None) -> Source:
    return Source(pack({}), "", "")


def _unreachable(world: World, source: Mapping[str, Any], version: str | None) -> Source:
    raise PhaseFailed(
        "CLIENT_ERROR",
        f"{source['type']} cannot be reached from the sandbox for primary source {source.get('location')}",
    )


FETCH: dict[str, Callable[[World, Mapping[str, Any], str | None], Source]] = {
    "S3": _s3,
    "CODECOMMIT": _codecommit,
    "NO_SOURCE": _nothing,
    PIPELINE: _nothing,
    "GITHUB": _unreachable,
    "GITHUB_ENTERPRISE": _unreachable,
    "GITLAB": _unreachable,
    "GITLAB_SELF_MANAGED": _unreachable,
    "BITBUCKET": _unreachable,
}
