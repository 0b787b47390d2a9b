"""Application revisions: for Amazon ECS an AppSpec, given in the call or lying in S3.

Sources: CodeDeploy API reference, RevisionLocation and GetApplicationRevision; user guide, application-revisions.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup
from runbook_lib.sandbox.services.codedeploy.appspec import MALFORMED, AppSpecError
from runbook_lib.sandbox.services.codedeploy.store import Application, Revision

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MISSING_FILE = "An AppSpec file is required, but could not be found in the revision"
APPSPEC_FILES = ("appspec.yaml", "appspec.yml", "appspec.json")
BUNDLES = ("YAML", "JSON", "zip", "tgz", "tar")
SORT_KEYS = {"registerTime": "registered", "firstUsedTime": "first_used", "lastUsedTime": "last_used"}


def register(world: World, application: Application, location: dict[str, Any], description: str = "") -> str:
    """Keeps a revision, once, and gives the key under which the application holds it."""
    place = located(location)
    key = json.dumps(place, sort_keys=True)
    if key not in application.revisions:
        content = (location.get("appSpecContent") or {}).get("content")
        if place["revisionType"] == "AppSpecContent" and content is None:
            raise AwsError("InvalidRevisionException", "AppSpecContent of an unknown revision must specify content.")
        application.revisions[key] = Revision(place, content, description, world.now)
    return key


def located(location: dict[str, Any]) -> dict[str, Any]:
    """The location without the content, as every answer but GetApplicationRevision shows it; checked."""
    kind = location.get("revisionType")
    if kind == "AppSpecContent" and location.get("appSpecContent"):
        return {"revisionType": kind, "appSpecContent": {"sha256": _digest(location["appSpecContent"])}}
    if kind == "S3" and location.get("s3Location"):
        place = location["s3Location"]
        if not place.get("bucket") or not place.get("key"):
            raise AwsError("InvalidRevisionException", "S3 location must specify bucket, key and bundleType.")
        if place.get("bundleType") not in BUNDLES:
            raise AwsError("InvalidRevisionException", "BundleType must be either YAML or JSON")
        return {"revisionType": kind, "s3Location": dict(place)}
    raise AwsError("InvalidRevisionException", f"An Amazon ECS revision is S3 or AppSpecContent; {kind!r} is not.")


def _digest(given: dict[str, Any]) -> str:
    content, stated = given.get("content"), given.get("sha256")
    if content is None:
        if not stated:
            raise AwsError("InvalidRevisionException", "AppSpecContent must specify content or sha256.")
        return str(stated)
    digest = hashlib.sha256(content.encode()).hexdigest()
    if stated and stated != digest:
        raise AwsError("InvalidRevisionException", f"The sha256 of the content is {digest}, not {stated}.")
    return digest


def text(world: World, revision: Revision) -> str:
    """The AppSpec's text; raises AppSpecError where there is none, LookupError where the S3 object is gone."""
    if revision.content is not None:
        return revision.content
    place = revision.location["s3Location"]
    body = _fetch(world, place)
    if place["bundleType"] in ("YAML", "JSON"):
        return _decoded(body)
    return _decoded(_from_archive(body, place["bundleType"]))


def _fetch(world: World, place: dict[str, Any]) -> bytes:
    from botocore.exceptions import ClientError

    version = {"VersionId": place["version"]} if place.get("version") else {}
    try:
        answer = world.client("s3").get_object(Bucket=place["bucket"], Key=place["key"], **version)
    except ClientError as gone:
        raise LookupError(f"s3://{place['bucket']}/{place['key']}: {gone.response['Error']['Message']}") from gone
    body: bytes = answer["Body"].read()
    return body


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as bad:
        raise AppSpecError(MALFORMED) from bad


def _from_archive(body: bytes, bundle: str) -> bytes:
    members = _members(body, bundle)
    for name in APPSPEC_FILES:
        if name in members:
            return members[name]
    raise AppSpecError(MISSING_FILE)


def _members(body: bytes, bundle: str) -> dict[str, bytes]:
    try:
        if bundle == "zip":
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                return {name: archive.read(name) for name in archive.namelist() if name in APPSPEC_FILES}
        with tarfile.open(fileobj=io.BytesIO(body)) as tape:
            files = [m for m in tape.getmembers() if m.isfile() and m.name.removeprefix("./") in APPSPEC_FILES]
            opened = {m.name.removeprefix("./"): tape.extractfile(m) for m in files}
            return {name: stream.read() for name, stream in opened.items() if stream}
    except (zipfile.BadZipFile, tarfile.TarError) as bad:
        raise AppSpecError(MISSING_FILE) from bad


def _info(world: World, application: Application, key: str) -> dict[str, Any]:
    revision = application.revisions[key]
    info: dict[str, Any] = {
        "description": revision.description,
        "deploymentGroups": sorted(g.name for g in application.groups.values() if g.target_revision == key),
        "registerTime": world.datetime(revision.registered),
    }
    if revision.first_used is not None and revision.last_used is not None:
        info["firstUsedTime"] = world.datetime(revision.first_used)
        info["lastUsedTime"] = world.datetime(revision.last_used)
    return info


def known(application: Application, location: dict[str, Any] | None) -> str:
    """The key of a revision that the application already holds."""
    if not location:
        raise AwsError("RevisionRequiredException", "RevisionLocation must be specified")
    key = json.dumps(located(location), sort_keys=True)
    if key not in application.revisions:
        raise AwsError("RevisionDoesNotExistException", "No application revision was found for the given location.")
    return key


def _whole(revision: Revision) -> dict[str, Any]:
    """The location with the AppSpec in it, which only GetApplicationRevision shows."""
    if revision.content is None:
        return revision.location
    return {
        "revisionType": "AppSpecContent",
        "appSpecContent": {**revision.location["appSpecContent"], "content": revision.content},
    }


def get(call: Call) -> dict[str, Any]:
    """GetApplicationRevision: the AppSpec's text by its sha256, or an S3 location."""
    application = lookup.application(call.world, call.params)
    key = known(application, call.params.get("revision"))
    return {
        "applicationName": application.name,
        "revision": _whole(application.revisions[key]),
        "revisionInfo": _info(call.world, application, key),
    }


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetApplicationRevisions: at most 25, those that are not found are named in errorMessage."""
    application = lookup.application(call.world, call.params)
    asked = call.params.get("revisions") or []
    if len(asked) > 25:
        raise AwsError("BatchLimitExceededException", "At most 25 revisions can be asked for at once.")
    keys = [json.dumps(located(location), sort_keys=True) for location in asked]
    found = [key for key in keys if key in application.revisions]
    missing = [key for key in keys if key not in application.revisions]
    revisions = [
        {
            "revisionLocation": _whole(application.revisions[key]),
            "genericRevisionInfo": _info(call.world, application, key),
        }
        for key in found
    ]
    answer: dict[str, Any] = {"applicationName": application.name, "revisions": revisions}
    if missing:
        answer["errorMessage"] = f"No revision was found for {', '.join(missing)}"
    return answer


def list_(call: Call) -> dict[str, Any]:
    """ListApplicationRevisions."""
    application = lookup.application(call.world, call.params)
    params = call.params
    sort_by, order = params.get("sortBy", "registerTime"), params.get("sortOrder", "ascending")
    if sort_by not in SORT_KEYS:
        raise AwsError("InvalidSortByException", f"{sort_by!r} is none of {', '.join(SORT_KEYS)}.")
    if order not in ("ascending", "descending"):
        raise AwsError("InvalidSortOrderException", f"{order!r} is neither ascending nor descending.")
    if params.get("s3KeyPrefix") and not params.get("s3Bucket"):
        raise AwsError("BucketNameFilterRequiredException", "A bucket name is required, but was not provided.")
    found = [item for item in application.revisions.items() if _matches(application, *item, params)]
    found.sort(key=lambda item: getattr(item[1], SORT_KEYS[sort_by]) or 0.0, reverse=order == "descending")
    return lookup.page([revision.location for _, revision in found], params, "revisions")


def _matches(application: Application, key: str, revision: Revision, params: dict[str, Any]) -> bool:
    place = revision.location.get("s3Location", {})
    if params.get("s3Bucket") and place.get("bucket") != params["s3Bucket"]:
        return False
    if not str(place.get("key", "")).startswith(params.get("s3KeyPrefix", "")):
        return False
    live = any(group.target_revision == key for group in application.groups.values())
    wanted = params.get("deployed", "ignore")
    if wanted not in ("include", "exclude", "ignore"):
        raise AwsError("InvalidDeployedStateFilterException", f"{wanted!r} is none of include, exclude, ignore.")
    return wanted == "ignore" or live == (wanted == "include")


def register_call(call: Call) -> dict[str, Any]:
    """RegisterApplicationRevision."""
    application = lookup.application(call.world, call.params)
    location = call.params.get("revision")
    if not location:
        raise AwsError("RevisionRequiredException", "RevisionLocation must be specified")
    register(call.world, application, location, description(call.params))
    return {}


def description(params: dict[str, Any]) -> str:
    """The description that a call gives; at most 256 characters (CodeDeploy user guide, limits)."""
    words: str = params.get("description", "")
    if len(words) > 256:
        raise AwsError("DescriptionTooLongException", f"The description has {len(words)} characters; 256 are allowed.")
    return words


OPERATIONS = {
    "RegisterApplicationRevision": register_call,
    "GetApplicationRevision": get,
    "BatchGetApplicationRevisions": batch_get,
    "ListApplicationRevisions": list_,
}
