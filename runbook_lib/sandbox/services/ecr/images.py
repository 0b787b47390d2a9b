"""Images: a manifest under its digest, tags that move unless the repository is immutable."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import services
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecr import lookup
from runbook_lib.sandbox.services.ecr.store import Repository, Stored
from runbook_lib.sandbox.shims.docker.image import MANIFEST, digest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[\w][\w.-]{0,299}", re.ASCII)
FAILURES = {
    "InvalidImageDigest": "Invalid request parameters: image digest should satisfy the regex 'sha256:[0-9a-f]{64}'",
    "ImageTagDoesNotMatchDigest": "Requested image tag does not match the requested image digest",
    "ImageNotFound": "Requested image not found",
    "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
}


def put(call: Call) -> dict[str, Any]:
    """PutImage: refused without its layers, for a tag that may not move, and when nothing would change."""
    repository, params = lookup.repository(call), call.params
    content = _manifest(params["imageManifest"])
    name = digest(params["imageManifest"].encode())
    if params.get("imageDigest", name) != name:
        raise AwsError(
            "ImageDigestDoesNotMatchException",
            f"Digest '{params['imageDigest']}' does not match the digest '{name}' of the manifest",
        )
    _check_layers(repository, content, call.account)
    kind = params.get("imageManifestMediaType") or content.get("mediaType") or MANIFEST
    stored = Stored(name, params["imageManifest"], kind, call.world.now)
    image = add(call.world, repository, stored, params.get("imageTag"))
    return {"image": _image(call, repository, image, params.get("imageTag"))}


def add(world: World, repository: Repository, new: Stored, tag: str | None) -> Stored:
    """Keep a manifest and give it a tag; the tag leaves the image that had it."""
    if tag is not None and not TAG.fullmatch(tag):
        raise lookup.invalid("imageTag", f"must satisfy regular expression '{TAG.pattern}'")
    known = repository.images.get(new.digest)
    holder = repository.tagged(tag) if tag else None
    if known is not None and (tag is None or holder is known):
        raise _already(repository, new.digest, tag, world.settings.account)
    if holder is not None and tag is not None:
        _may_move(repository, tag)
        holder.tags.remove(tag)
    image = repository.images.setdefault(new.digest, new)
    if tag is not None:
        image.tags.append(tag)
    _announce(world, repository, image.digest, tag or "", "PUSH")
    return image


def _manifest(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        raise lookup.invalid("imageManifest", "Invalid JSON syntax") from None
    if not isinstance(found, dict) or found.get("schemaVersion") != 2:
        raise lookup.invalid("imageManifest", "Invalid image manifest: schemaVersion 2 is needed")
    return found


def _check_layers(repository: Repository, content: dict[str, Any], account: str) -> None:
    children = [each["digest"] for each in content.get("manifests", ())]
    unknown = [child for child in children if child not in repository.images]
    if unknown:
        raise AwsError(
            "ReferencedImagesNotFoundException",
            f"Images with digests '{unknown}' required for pushing image into {_in(repository, account)} do not exist",
        )
    needed = [each["digest"] for each in [*content.get("layers", ()), *filter(None, [content.get("config")])]]
    missing = sorted({name for name in needed if name not in repository.layers})
    if missing:
        raise AwsError(
            "LayersNotFoundException",
            f"Layers with digests '[{', '.join(missing)}]' required for pushing image into "
            f"{_in(repository, account)} do not exist",
        )


def _in(repository: Repository, account: str) -> str:
    return f"repository with name '{repository.name}' in the registry with id '{account}'"


def _already(repository: Repository, name: str, tag: str | None, account: str) -> AwsError:
    return AwsError(
        "ImageAlreadyExistsException",
        f"Image with digest '{name}' and tag '{tag or 'null'}' already exists in the repository with name "
        f"'{repository.name}' in registry with id '{account}'",
    )


def _may_move(repository: Repository, tag: str) -> None:
    excluded = any(fnmatch.fnmatchcase(tag, each["filter"]) for each in repository.exclusions)
    if repository.mutability.startswith("IMMUTABLE") != excluded:
        raise AwsError(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten "
            "because the repository is immutable.",
        )


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetImage: what is found and, apart, what is not."""
    repository = lookup.repository(call)
    images, failures = [], []
    for wanted in call.params["imageIds"]:
        found = _find(repository, wanted)
        if isinstance(found, str):
            failures.append(_failure(wanted, found))
        else:
            found.pulled_at = call.world.now
            images.append(_image(call, repository, found, wanted.get("imageTag")))
    return {"images": images, "failures": failures}


def describe(call: Call) -> dict[str, Any]:
    """DescribeImages: without ids all of them, the oldest first."""
    repository = lookup.repository(call)
    if "imageIds" in call.params:
        found = list(
            {image.digest: image for image in map(must_find(call, repository), call.params["imageIds"])}.values()
        )
    else:
        found = _filtered(repository, call.params)
    return lookup.page([_detail(call, repository, image) for image in found], call.params, "imageDetails")


def list_(call: Call) -> dict[str, Any]:
    """ListImages: one line a tag, and one for an image without any."""
    found = _filtered(lookup.repository(call), call.params)
    lines = [
        {"imageDigest": image.digest, **({"imageTag": tag} if tag else {})}
        for image in found
        for tag in (image.tags or [""])
    ]
    return lookup.page(lines, call.params, "imageIds")


def batch_delete(call: Call) -> dict[str, Any]:
    """BatchDeleteImage: by digest the image with all its tags, by tag the tag, and the image with its last one."""
    repository = lookup.repository(call)
    gone: list[dict[str, str]] = []
    failures = []
    for wanted in call.params["imageIds"]:
        found = _find(repository, wanted)
        if isinstance(found, str):
            failures.append(_failure(wanted, found))
        else:
            gone += _delete(call.world, repository, found, wanted)
    return {"imageIds": gone, "failures": failures}


def _delete(world: World, repository: Repository, image: Stored, wanted: dict[str, str]) -> list[dict[str, str]]:
    leaving = [wanted["imageTag"]] if "imageTag" in wanted else list(image.tags)
    image.tags = [tag for tag in image.tags if tag not in leaving]
    if not image.tags:
        del repository.images[image.digest]
    for tag in leaving or [""]:
        _announce(world, repository, image.digest, tag, "DELETE")
    return [{"imageDigest": image.digest, "imageTag": tag} for tag in leaving] or [{"imageDigest": image.digest}]


def _find(repository: Repository, wanted: dict[str, str]) -> Stored | str:
    """The image of an id, or the code of the failure."""
    name, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    if name is None and tag is None:
        return "MissingDigestAndTag"
    if name is not None and not DIGEST.fullmatch(name):
        return "InvalidImageDigest"
    by_digest = repository.images.get(name) if name else None
    by_tag = repository.tagged(tag) if tag else None
    if name and tag and by_digest and by_digest is not by_tag:
        return "ImageTagDoesNotMatchDigest"
    return by_digest or by_tag or "ImageNotFound"


def must_find(call: Call, repository: Repository) -> Any:
    """What finds the image of an id in a repository, or refuses it."""

    def find(wanted: dict[str, str]) -> Stored:
        found = _find(repository, wanted)
        if isinstance(found, str):
            named = (
                f"{{imageDigest:'{wanted.get('imageDigest', 'null')}', imageTag:'{wanted.get('imageTag', 'null')}'}}"
            )
            raise AwsError(
                "ImageNotFoundException",
                f"The image with imageId {named} does not exist within the {lookup.place(repository, call.account)}",
            )
        return found

    return find


def _failure(wanted: dict[str, str], code: str) -> dict[str, Any]:
    return {"imageId": wanted, "failureCode": code, "failureReason": FAILURES[code]}


def _filtered(repository: Repository, params: dict[str, Any]) -> list[Stored]:
    wanted = params.get("filter", {}).get("tagStatus", "ANY")
    images = sorted(repository.images.values(), key=lambda image: (image.pushed_at, image.digest))
    return [image for image in images if wanted == "ANY" or bool(image.tags) == (wanted == "TAGGED")]


def _image(call: Call, repository: Repository, image: Stored, tag: str | None) -> dict[str, Any]:
    return {
        "registryId": call.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, **({"imageTag": tag} if tag else {})},
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type,
    }


def _detail(call: Call, repository: Repository, image: Stored) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "registryId": call.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": call.world.datetime(image.pushed_at),
        "imageManifestMediaType": image.media_type,
    }
    if image.tags:
        detail["imageTags"] = list(image.tags)
    if "config" in image.content:
        detail["artifactMediaType"] = image.content["config"].get("mediaType", "")
    if image.pulled_at is not None:
        detail["lastRecordedPullTime"] = call.world.datetime(image.pulled_at)
    return detail


def _announce(world: World, repository: Repository, name: str, tag: str, action: str) -> None:
    """The event "ECR Image Action" (ECR user guide, ecr-eventbridge)."""
    events = services.module("events")
    if events is None:
        return
    detail = {"result": "SUCCESS", "repository-name": repository.name, "image-digest": name, "action-type": action}
    events.emit(
        world,
        source="aws.ecr",
        detail_type="ECR Image Action",
        resources=[],
        detail={**detail, "image-tag": tag},
    )


OPERATIONS = {
    "PutImage": put,
    "BatchGetImage": batch_get,
    "DescribeImages": describe,
    "ListImages": list_,
    "BatchDeleteImage": batch_delete,
}
