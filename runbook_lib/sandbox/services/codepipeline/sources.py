"""Source actions: the newest revision of what they watch, or the one that was asked for, becomes an artifact.

Output variables: CodePipeline user guide, reference-variables and the action references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import artifacts, flow, role, urls
from runbook_lib.sandbox.services.codepipeline.failure import CONFIGURATION, PERMISSION, ActionFailed, asking
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline, pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


@dataclass(frozen=True)
class Fetched:
    """What a source action has found; a commit may have no message, and not every revision has an address."""

    revision: str
    summary: str
    body: bytes
    variables: dict[str, str]
    url: str = ""


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Begin to fetch; a connection lets those in whose role may use it."""
    if made.kind["provider"] == "CodeStarSourceConnection":
        _check_use(world, str(found.versions[run.version - 1]["roleArn"]), made.configuration["ConnectionArn"])
    world.after(world.settings.pipeline_action_latency, "codepipeline.fetch", run.id, made.id)


def _check_use(world: World, role: str, connection: str) -> None:
    from runbook_lib.sandbox.services import codeconnections

    if not codeconnections.may_use(world, role, connection):
        text = f"Unable to use Connection: {connection}. The provided role does not have sufficient permissions."
        raise ActionFailed(PERMISSION, text)


def fetch(world: World, run_id: str, action_id: str) -> None:
    """A source action fetches what it watches."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    run, made = at_work
    try:
        told = KINDS[made.kind["provider"]](world, made.configuration, run.overrides.get(made.name, ""))
        definition = pipeline(world, run.pipeline).versions[run.version - 1]
        bucket = artifacts.store_of(definition, world.settings.region)
        role.check_store(world, str(definition["roleArn"]), "s3:PutObject", [(bucket, f"{run.pipeline[:20]}/new")])
        _keep(world, run, made, told)
    except ActionFailed as failed:
        flow.finish(world, run, made, status="Failed", error=(failed.code, failed.message))
        return
    flow.finish(world, run, made)


def _keep(world: World, run: Execution, made: ActionRun, told: Fetched) -> None:
    output = made.declared["outputArtifacts"][0]["name"]
    made.outputs[output] = artifacts.put(world, run.pipeline, output, told.body)
    made.external, made.summary, made.variables = told.revision, told.summary or None, told.variables
    # The model's shortest summary has one letter: a commit without a message has none.
    optional = {"revisionSummary": told.summary, "revisionUrl": told.url}
    revision = {"actionName": made.name, "artifact": output, "revisionId": told.revision, "created": world.now}
    # A retry fetches again: what a run built is the last of each action.
    run.revisions = [one for one in run.revisions if one["actionName"] != made.name]
    run.revisions.append(revision | {key: value for key, value in optional.items() if value})


def _from_codecommit(world: World, told: Mapping[str, str], wanted: str) -> Fetched:
    from runbook_lib.sandbox.services import codecommit

    name, branch = told["RepositoryName"], told["BranchName"]
    with asking("AWSCodeCommit"):
        try:
            id, body = codecommit.archive_of(world, name, wanted) if wanted else _head(world, name, branch)
        except AwsError as refused:
            if refused.code != "BranchDoesNotExistException":
                raise
            text = f"no branch named {branch} was found in the selected AWS CodeCommit repository {name}. Make sure"
            text = f"The action failed because {text} you are using the correct branch name, and then try again."
            raise ActionFailed(CONFIGURATION, text) from refused
    commit = world.client("codecommit").get_commit(repositoryName=name, commitId=id)["commit"]
    message = commit.get("message", "").strip()
    variables = {
        "RepositoryName": name,
        "BranchName": branch,
        "CommitId": id,
        "CommitMessage": message,
        "AuthorDate": _date(commit["author"]["date"]),
        "CommitterDate": _date(commit["committer"]["date"]),
    }
    return Fetched(id, message, body, variables, urls.commit(world, name, id))


def _head(world: World, name: str, branch: str) -> tuple[str, bytes]:
    from runbook_lib.sandbox.services import codecommit

    id, _, body = codecommit.archive(world, name, branch)
    return id, body


def _date(git: str) -> str:
    return datetime.fromtimestamp(int(git.split()[0]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _from_s3(world: World, told: Mapping[str, str], wanted: str) -> Fetched:
    bucket, key, s3 = told["S3Bucket"], told["S3ObjectKey"], world.client("s3")
    with asking("Amazon S3"):
        try:
            versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status")
            found = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": wanted} if wanted else {}))
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket", "NoSuchVersion"):
                raise
            text = f"The Amazon S3 object could not be found: {bucket}/{key}"
            raise ActionFailed(CONFIGURATION, text) from refused
    if versioning != "Enabled":
        text = f"The Amazon S3 bucket {bucket} is not versioned. Enable versioning on the bucket of a source action."
        raise ActionFailed(CONFIGURATION, text)
    version = found["VersionId"]
    variables = {"VersionId": version, "ETag": found["ETag"].strip('"')}
    return Fetched(version, f"Amazon S3 version id: {version}", found["Body"].read(), variables)


def _from_ecr(world: World, told: Mapping[str, str], wanted: str) -> Fetched:
    from runbook_lib.sandbox.services import ecr

    own, name, tag = world.settings, told["RepositoryName"], told.get("ImageTag", "latest")
    host = f"{own.account}.dkr.ecr.{own.region}.amazonaws.com"
    image = ecr.image(world, f"{host}/{name}@{wanted}" if wanted else f"{host}/{name}:{tag}")
    if image is None:
        text = f"The image with tag {tag} in the repository {name} could not be found"
        raise ActionFailed(CONFIGURATION, text)
    uri = f"{host}/{name}@{image.digest}"
    detail = {
        "ImageDigest": image.digest,
        "Version": "1.0",
        "RegistryId": own.account,
        "RepositoryName": name,
        "ImageURI": uri,
        "ImageTags": [tag],
    }
    variables = {key: str(detail[key]) for key in ("RegistryId", "RepositoryName", "ImageDigest", "ImageURI")}
    return Fetched(
        image.digest, f"{name}:{tag}", artifacts.packed({"imageDetail.json": detail}), {**variables, "ImageTag": tag}
    )


def _from_connection(world: World, told: Mapping[str, str], wanted: str) -> Fetched:
    from runbook_lib.sandbox.services import codeconnections

    arn, name, branch = told["ConnectionArn"], told["FullRepositoryId"], told["BranchName"]
    with asking("AWSCodeConnections"):
        whole = told.get("OutputArtifactFormat") == artifacts.CLONE_REFERENCE
        commit = codeconnections.commit(world, arn, name, wanted or branch, clone=whole)
    variables = {
        "ConnectionArn": arn,
        "FullRepositoryName": name,
        "BranchName": branch,
        "CommitId": commit.id,
        "CommitMessage": commit.message,
        "AuthorDate": _date(commit.author_date),
    }
    return Fetched(commit.id, commit.message, commit.files, variables)


KINDS: dict[str, Callable[[World, Mapping[str, str], str], Fetched]] = {
    "CodeCommit": _from_codecommit,
    "S3": _from_s3,
    "ECR": _from_ecr,
    "CodeStarSourceConnection": _from_connection,
}
