"""Repositories, their tags and the policies that are kept with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecr import lifecycle, lookup
from runbook_lib.sandbox.services.ecr.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

EXCLUDING = ("IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")


def create(call: Call) -> dict[str, Any]:
    """CreateRepository."""
    name = call.params["repositoryName"]
    lookup.check_name(name)
    known = lookup.repositories(call.world, call.region)
    if name in known:
        raise AwsError(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{name}' already exists in the registry with id '{call.account}'",
        )
    known[name] = _new(call, name)
    return {"repository": _shown(call, known[name])}


def _new(call: Call, name: str) -> Repository:
    params, partition = call.params, call.world.settings.partition
    return Repository(
        name=name,
        arn=f"arn:{partition}:ecr:{call.region}:{call.account}:repository/{name}",
        uri=f"{host(call.account, call.region, partition)}/{name}",
        created=call.world.now,
        mutability=params.get("imageTagMutability", "MUTABLE"),
        exclusions=_exclusions(params),
        scanning={"scanOnPush": False, **params.get("imageScanningConfiguration", {})},
        encryption=params.get("encryptionConfiguration", {"encryptionType": "AES256"}),
        tags={tag["Key"]: tag.get("Value", "") for tag in params.get("tags", [])},
    )


def host(account: str, region: str, partition: str) -> str:
    """The host name of a registry (ECR user guide, Registries)."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")


def _exclusions(params: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = params.get("imageTagMutabilityExclusionFilters", [])
    if bool(found) != (params.get("imageTagMutability") in EXCLUDING):
        raise lookup.invalid(
            "imageTagMutabilityExclusionFilters", f"filters go with {' or '.join(EXCLUDING)}, and these need filters"
        )
    return found


def describe(call: Call) -> dict[str, Any]:
    """DescribeRepositories."""
    known = lookup.repositories(call.world, call.region)
    names = call.params.get("repositoryNames") or sorted(known)
    found = [_shown(call, lookup.named(call, name)) for name in names]
    return lookup.page(found, call.params, "repositories")


def delete(call: Call) -> dict[str, Any]:
    """DeleteRepository: refused while images are in it, unless forced."""
    found = lookup.repository(call)
    if found.images and not call.params.get("force"):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{found.name}' in registry with id '{call.account}' cannot be deleted because "
            "it still contains images",
        )
    del lookup.repositories(call.world, call.region)[found.name]
    return {"repository": _shown(call, found)}


def _shown(call: Call, repository: Repository) -> dict[str, Any]:
    shown = {
        "repositoryArn": repository.arn,
        "registryId": call.account,
        "repositoryName": repository.name,
        "repositoryUri": repository.uri,
        "createdAt": call.world.datetime(repository.created),
        "imageTagMutability": repository.mutability,
        "imageScanningConfiguration": repository.scanning,
        "encryptionConfiguration": repository.encryption,
    }
    if repository.exclusions:
        shown["imageTagMutabilityExclusionFilters"] = repository.exclusions
    return shown


def put_mutability(call: Call) -> dict[str, Any]:
    """PutImageTagMutability."""
    found = lookup.repository(call)
    found.exclusions, found.mutability = _exclusions(call.params), call.params["imageTagMutability"]
    return {**_named(call, found), "imageTagMutability": found.mutability}


def put_scanning(call: Call) -> dict[str, Any]:
    """PutImageScanningConfiguration."""
    found = lookup.repository(call)
    found.scanning = {"scanOnPush": False, **call.params["imageScanningConfiguration"]}
    return {**_named(call, found), "imageScanningConfiguration": found.scanning}


def set_policy(call: Call) -> dict[str, Any]:
    """SetRepositoryPolicy."""
    found = lookup.repository(call)
    try:
        json.loads(call.params["policyText"])
    except json.JSONDecodeError:
        raise lookup.invalid("PolicyText", "Invalid repository policy provided") from None
    found.policy = call.params["policyText"]
    return {**_named(call, found), "policyText": found.policy}


def get_policy(call: Call) -> dict[str, Any]:
    """GetRepositoryPolicy."""
    found = lookup.repository(call)
    if found.policy is None:
        raise AwsError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the {lookup.place(found, call.account)}",
        )
    return {**_named(call, found), "policyText": found.policy}


def delete_policy(call: Call) -> dict[str, Any]:
    """DeleteRepositoryPolicy."""
    answer = get_policy(call)
    lookup.repository(call).policy = None
    return answer


def put_lifecycle(call: Call) -> dict[str, Any]:
    """PutLifecyclePolicy: evaluated within 24 hours, and then every day (ECR user guide, LifecyclePolicies)."""
    found, text = lookup.repository(call), call.params["lifecyclePolicyText"]
    lifecycle.read(text)
    if found.lifecycle is None:
        call.world.after(lifecycle.DAY, "ecr.evaluate", call.region, found.name, found.created, background=True)
    found.lifecycle = text
    return {**_named(call, found), "lifecyclePolicyText": text}


def get_lifecycle(call: Call) -> dict[str, Any]:
    """GetLifecyclePolicy."""
    found = lookup.repository(call)
    if found.lifecycle is None:
        raise AwsError(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the {lookup.place(found, call.account)}",
        )
    answer = {**_named(call, found), "lifecyclePolicyText": found.lifecycle}
    if found.evaluated_at is not None:
        answer["lastEvaluatedAt"] = call.world.datetime(found.evaluated_at)
    return answer


def delete_lifecycle(call: Call) -> dict[str, Any]:
    """DeleteLifecyclePolicy."""
    answer = get_lifecycle(call)
    lookup.repository(call).lifecycle = None
    return answer


def _named(call: Call, repository: Repository) -> dict[str, Any]:
    return {"registryId": call.account, "repositoryName": repository.name}


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    lookup.by_arn(call).tags.update({tag["Key"]: tag.get("Value", "") for tag in call.params["tags"]})
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    tags = lookup.by_arn(call).tags
    for key in call.params["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": [{"Key": key, "Value": value} for key, value in sorted(lookup.by_arn(call).tags.items())]}


OPERATIONS = {
    "CreateRepository": create,
    "DescribeRepositories": describe,
    "DeleteRepository": delete,
    "PutImageTagMutability": put_mutability,
    "PutImageScanningConfiguration": put_scanning,
    "SetRepositoryPolicy": set_policy,
    "GetRepositoryPolicy": get_policy,
    "DeleteRepositoryPolicy": delete_policy,
    "PutLifecyclePolicy": put_lifecycle,
    "GetLifecyclePolicy": get_lifecycle,
    "DeleteLifecyclePolicy": delete_lifecycle,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
