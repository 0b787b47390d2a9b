"""Where the source of a build comes from: a pipeline's artifact, S3, CodeCommit, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild import authority, lookup
from runbook_lib.sandbox.services.codebuild.authority import Wish
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Build, Place, Source
from runbook_lib.sandbox.services.codecommit.archive import Member, pack, unpack

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

HEADS = "refs/heads/"
FAILED = "CLIENT_ERROR"
DENIED = "AccessDenied: Access Denied status code: 403"


def fetch_all(world: World, build: Build) -> dict[str, Source]:
    """The sources by identifier; the primary one has none ("")."""
    order, plan = build.plan.order, build.plan
    if order is not None:
        for connection in order.connections:
            _check_clone(world, build, connection, order.revision)
        return {
            name if number else "": Source(fetch_object(world, build, place), "" if number else order.revision, "")
            for number, (name, place) in enumerate(order.sources.items())
        }
    extra = {each["sourceIdentifier"]: each for each in plan.settings.get("secondarySources", ())}
    versions = {each["sourceIdentifier"]: each["sourceVersion"] for each in _secondary_versions(build)}
    primary = FETCH[plan.source["type"]](world, build, plan.source, plan.source_version)
    fetched = {name: FETCH[each["type"]](world, build, each, versions.get(name)) for name, each in extra.items()}
    return {"": primary, **fetched}


def _check_clone(world: World, build: Build, connection: str, version: str) -> None:
    """CodePipeline user guide, troubleshooting: a full clone is made with the build's role, not the pipeline's."""
    from runbook_lib.sandbox.services import codeconnections

    if connection.split(":")[2] == "codecommit":
        if authority.refusal(world, build, Wish("codecommit:GitPull", connection)):
            raise _failed("authorization failed", version)
    elif not codeconnections.may_use(world, build.plan.settings["serviceRole"], connection):
        raise _failed("authorization failed", version)


def _secondary_versions(build: Build) -> Sequence[Mapping[str, str]]:
    found: Sequence[Mapping[str, str]] = build.plan.settings.get("secondarySourceVersions", ())
    return found


def members(source: Source) -> dict[str, Member]:
    """The files of a source; refuses what is no archive, or would unpack beside its folder."""
    try:
        found = unpack(source.packed)
    except BadZipFile:
        raise PhaseFailed(FAILED, f"zip: not a valid zip file for primary source {source.url}") from None
    for path in found:
        if path.startswith("/") or ".." in path.split("/"):
            raise PhaseFailed(FAILED, f"illegal file path {path} in primary source {source.url}")
    return found


def fetch_object(world: World, build: Build, place: Place, version: str | None = None) -> bytes:
    """An object in S3, as the build's role may read it; version is the one that S3 gave it, None for the newest."""
    client, arn = world.client("s3"), lookup.object_arn(world, place)
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    if authority.refusal(world, build, Wish(action, arn)):
        raise _failed(DENIED, arn)
    wanted = {"VersionId": version} if version else {}
    try:
        content: bytes = client.get_object(Bucket=place.bucket, Key=place.key, **wanted)["Body"].read()
    except client.exceptions.ClientError as error:
        told = error.response["Error"]
        raise _failed(f"{told['Code']}: {told['Message']}", arn) from None
    return content


def _failed(why: str, version: str) -> PhaseFailed:
    return PhaseFailed(FAILED, f"{why} for primary source and source version {version}")


def _s3(world: World, build: Build, source: Mapping[str, Any], version: str | None) -> Source:
    bucket, _, key = source["location"].rpartition(":::")[2].partition("/")
    if not key.endswith("/"):
        return Source(fetch_object(world, build, Place(bucket, key), version), "", f"{bucket}/{key}")
    return Source(pack(_below(world, build, Place(bucket, key))), "", source["location"])


def _below(world: World, build: Build, folder: Place) -> dict[str, Member]:
    bucket = lookup.object_arn(world, Place(folder.bucket, "")).rstrip("/")
    if authority.refusal(world, build, Wish("s3:ListBucket", bucket)):
        raise _failed(DENIED, lookup.object_arn(world, folder))
    pages = world.client("s3").get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if not entry["Key"].endswith("/")]
    found = {key: fetch_object(world, build, Place(folder.bucket, key)) for key in keys}
    return {key.removeprefix(folder.key): Member(0o100644, content) for key, content in found.items()}


def _codecommit(world: World, build: Build, source: Mapping[str, Any], version: str | None) -> Source:
    from runbook_lib.sandbox.services import codecommit

    repository = source["location"].rstrip("/").rpartition("/")[2].removesuffix(".git")
    if authority.refusal(world, build, Wish("codecommit:GitPull", world.arn("codecommit", repository))):
        raise _failed("authorization failed", version or "")
    try:
        wanted = (version or codecommit.default_branch(world, repository)).removeprefix(HEADS)
        commit, packed = codecommit.archive_of(world, repository, wanted)
    except AwsError as error:
        raise _failed(error.message, version or "") from None
    return Source(packed, commit, source["location"])


def _nothing(world: World, build: Build, source: Mapping[str, Any], version: str | None) -> Source:
    return Source(pack({}), "", "")


def _unreachable(world: World, build: Build, source: Mapping[str, Any], version: str | None) -> Source:
    raise PhaseFailed(
        FAILED, f"{source['type']} cannot be reached from the sandbox for primary source {source.get('location')}"
    )


FETCH: dict[str, Callable[[World, Build, Mapping[str, Any], str | None], Source]] = {
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
