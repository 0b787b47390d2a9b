"""What a lifecycle policy would expire, and what is known of an image that nobody scanned.

Sources: ECR API reference, StartLifecyclePolicyPreview, GetLifecyclePolicyPreview and DescribeImageScanFindings. There
is no scanner here: an image that AWS would have scanned has no findings to be shown, so asking for them is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.ecr import images, lifecycle, lookup
from runbook_lib.sandbox.services.ecr.store import Preview, Repository, Stored

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

SECONDS = 5.0  # how long a preview is in progress


def start(call: Call) -> dict[str, Any]:
    """StartLifecyclePolicyPreview of a text, or of the repository's own policy."""
    found = lookup.repository(call)
    text = call.params.get("lifecyclePolicyText") or found.lifecycle
    if text is None:
        place = lookup.place(found, call.account)
        raise AwsError("LifecyclePolicyNotFoundException", f"Lifecycle policy does not exist for the {place}")
    if found.preview is not None and _status(call, found.preview) == "IN_PROGRESS":
        place = lookup.place(found, call.account)
        text = f"Previous lifecycle policy preview is still in progress for the {place}"
        raise AwsError("LifecyclePolicyPreviewInProgressException", text)
    applied = lifecycle.applied(lifecycle.read(text), found.images.values(), call.world.now)
    expiring = tuple((image.digest, priority) for image, priority in applied)
    found.preview = Preview(text, call.world.now + SECONDS, expiring)
    return {**_named(call, found, found.preview), "status": "IN_PROGRESS"}


def _named(call: Call, repository: Repository, preview: Preview) -> dict[str, Any]:
    named = {"registryId": call.account, "repositoryName": repository.name}
    return {**named, "lifecyclePolicyText": preview.text}


def _status(call: Call, preview: Preview) -> str:
    return "COMPLETE" if call.world.now >= preview.ready else "IN_PROGRESS"


def get(call: Call) -> dict[str, Any]:
    """GetLifecyclePolicyPreview: the images that would go, once it is complete."""
    found = lookup.repository(call)
    if found.preview is None:
        place = lookup.place(found, call.account)
        text = f"Lifecycle policy preview not found for the {place}"
        raise AwsError("LifecyclePolicyPreviewNotFoundException", text)
    answer = {**_named(call, found, found.preview), "status": _status(call, found.preview)}
    if answer["status"] != "COMPLETE":
        return answer
    results = [_result(call, found.images[name], rule) for name, rule in found.preview.expiring if name in found.images]
    summary = {"summary": {"expiringImageTotalCount": len(results)}}
    return {**answer, **summary, **lookup.page(results, call.params, "previewResults")}


def _result(call: Call, image: Stored, priority: int) -> dict[str, Any]:
    return {
        "imageTags": list(image.tags),
        "imageDigest": image.digest,
        "imagePushedAt": call.world.datetime(image.pushed_at),
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": priority,
    }


def scan_findings(call: Call) -> dict[str, Any]:
    """DescribeImageScanFindings: an image of a repository that does not scan on push was never scanned."""
    found, wanted = lookup.repository(call), call.params["imageId"]
    image = images.must_find(call, found)(wanted)
    if found.scanning.get("scanOnPush"):
        raise not_simulated("ecr: the findings of a scan on push")
    named = f"{{imageDigest:'{image.digest}', imageTag:'{wanted.get('imageTag', 'null')}'}}"
    text = f"Image scan does not exist for the image with '{named}' in the {lookup.place(found, call.account)}"
    raise AwsError("ScanNotFoundException", text)


OPERATIONS = {
    "StartLifecyclePolicyPreview": start,
    "GetLifecyclePolicyPreview": get,
    "DescribeImageScanFindings": scan_findings,
}
