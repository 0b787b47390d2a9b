"""The kinds of actions that run here, with what each takes (CodePipeline user guide, action references)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_IMAGES = 4


@dataclass(frozen=True)
class Provider:
    """Keys of the configuration, and how many artifacts go in and out (from, to)."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    inputs: tuple[int, int] = (0, 0)
    outputs: tuple[int, int] = (0, 0)


_IMAGES = tuple(f"Image{n}{part}" for n in range(1, MOST_IMAGES + 1) for part in ("ArtifactName", "ContainerName"))
_CODEBUILD = Provider(
    ("ProjectName",),
    ("PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"),
    inputs=(1, 5),
    outputs=(0, 5),
)
PROVIDERS: Mapping[tuple[str, str], Provider] = {
    ("Source", "CodeCommit"): Provider(
        ("RepositoryName", "BranchName"), ("PollForSourceChanges", "OutputArtifactFormat"), outputs=(1, 1)
    ),
    ("Source", "CodeStarSourceConnection"): Provider(
        ("ConnectionArn", "FullRepositoryId", "BranchName"), ("OutputArtifactFormat", "DetectChanges"), outputs=(1, 1)
    ),
    ("Source", "S3"): Provider(
        ("S3Bucket", "S3ObjectKey"), ("PollForSourceChanges", "AllowOverrideForS3ObjectKey"), outputs=(1, 1)
    ),
    ("Source", "ECR"): Provider(("RepositoryName",), ("ImageTag",), outputs=(1, 1)),
    ("Build", "CodeBuild"): _CODEBUILD,
    ("Test", "CodeBuild"): _CODEBUILD,
    ("Approval", "Manual"): Provider((), ("NotificationArn", "CustomData", "ExternalEntityLink")),
    ("Deploy", "ECS"): Provider(("ClusterName", "ServiceName"), ("FileName", "DeploymentTimeout"), inputs=(1, 1)),
    ("Deploy", "CodeDeployToECS"): Provider(
        ("ApplicationName", "DeploymentGroupName", "TaskDefinitionTemplateArtifact", "AppSpecTemplateArtifact"),
        ("TaskDefinitionTemplatePath", "AppSpecTemplatePath", *_IMAGES),
        inputs=(1, 5),
    ),
}
