"""ECR: what a lifecycle policy would expire, and what is known of an image that nobody scanned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ecs_stage import refusal
from fidelity_stage import SCENES, Scene

HERE = {"repositoryName": "orders"}


@pytest.fixture
def scene() -> Scene:
    """A registry with one image, v1."""
    return SCENES["image"]()


def policy(count: int, status: str = "any", **more: Any) -> str:
    selection = {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": count, **more}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def test_a_preview_takes_a_moment_and_removes_nothing(scene: Scene) -> None:
    """A second one has to wait for it."""
    ecr = scene.client("ecr")
    ecr.start_lifecycle_policy_preview(**HERE, lifecyclePolicyText=policy(1))
    assert ecr.get_lifecycle_policy_preview(**HERE)["status"] == "IN_PROGRESS"
    code, message = refusal(ecr.start_lifecycle_policy_preview, **HERE, lifecyclePolicyText=policy(1))
    assert (code, "is still in progress" in message) == ("LifecyclePolicyPreviewInProgressException", True)
    scene.world.run_until(scene.world.now + 10)
    found = ecr.get_lifecycle_policy_preview(**HERE)
    assert (found["status"], found["previewResults"], len(ecr.list_images(**HERE)["imageIds"])) == ("COMPLETE", [], 1)


def test_the_own_policy_is_previewed(scene: Scene) -> None:
    """By tags; without any policy there is nothing to preview."""
    ecr = scene.client("ecr")
    code, _ = refusal(ecr.start_lifecycle_policy_preview, **HERE)
    assert code == "LifecyclePolicyNotFoundException"
    ecr.put_image(**HERE, imageTag="v2", imageManifest=scene.names["two"])
    ecr.put_lifecycle_policy(**HERE, lifecyclePolicyText=policy(1, "tagged", tagPrefixList=["v"]))
    ecr.start_lifecycle_policy_preview(**HERE)
    scene.world.run_until(scene.world.now + 10)
    found = ecr.get_lifecycle_policy_preview(**HERE)
    assert found["summary"]["expiringImageTotalCount"] == 1
    assert found["previewResults"][0]["action"] == {"type": "EXPIRE"}


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("get_lifecycle_policy_preview", {}, "LifecyclePolicyPreviewNotFoundException"),
        ("start_lifecycle_policy_preview", {"lifecyclePolicyText": "{" + " " * 100}, "InvalidParameterException"),
        ("describe_image_scan_findings", {"imageId": {"imageTag": "v1"}}, "ScanNotFoundException"),
        ("describe_image_scan_findings", {"imageId": {"imageTag": "v9"}}, "ImageNotFoundException"),
    ],
)
def test_what_is_not_there_is_refused(scene: Scene, operation: str, params: dict[str, Any], code: str) -> None:
    """A preview that nobody started, a policy that is none, a scan of an unscanned image, and an unknown image."""
    seen, message = refusal(getattr(scene.client("ecr"), operation), **HERE, **params)
    assert (seen, bool(message)) == (code, True)
