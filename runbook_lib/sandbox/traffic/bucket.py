"""The bucket of an access log: whom its policy lets in, and how a file gets there.

Source: ELB user guide, enable-access-logging: the service principal, and in the regions that were there before
August 2022 also the account of Elastic Load Balancing. Conditions of the policy are taken as met.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import clients, moto_protocol, moto_seam
from runbook_lib.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from runbook_lib.sandbox.traffic.logfile import Modelled
    from runbook_lib.sandbox.world import World

PRINCIPAL = "logdelivery.elasticloadbalancing.amazonaws.com"
ACCOUNTS = {
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
    "ca-central-1": "985666609251",
    "eu-central-1": "054676820928",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-west-3": "009996457667",
    "eu-north-1": "897822967062",
    "ap-northeast-1": "582318560864",
    "ap-northeast-2": "600734575887",
    "ap-south-1": "718504428378",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "sa-east-1": "507241528517",
}
ACTION = "s3:PutObject"


def lets_in(world: World, bucket: str, key: str) -> bool:
    """Whether a bucket exists and its policy lets the load balancer write such an object."""
    try:
        policy = json.loads(world.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchBucketPolicy", "NoSuchBucket"):
            return False
        raise
    arn = f"arn:{world.settings.partition}:s3:::{bucket}/{key}"
    effects = {each["Effect"] for each in _statements(policy) if _about(each, world.settings.region, arn)}
    return effects == {"Allow"}


def _statements(policy: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    found = policy.get("Statement", [])
    return [found] if isinstance(found, Mapping) else found


def _about(statement: Mapping[str, Any], region: str, arn: str) -> bool:
    """Whether a statement speaks of the load balancer's writing of that object; of a denial conditions are not met."""
    if statement["Effect"] == "Deny" and statement.get("Condition"):
        return False
    actions = any(fnmatchcase(ACTION.lower(), action.lower()) for action in _list(statement.get("Action")))
    resources = any(fnmatchcase(arn, resource) for resource in _list(statement.get("Resource")))
    return actions and resources and _is_balancer(statement.get("Principal"), region)


def _is_balancer(principal: Any, region: str) -> bool:
    if not isinstance(principal, Mapping):
        return principal == "*"
    account = ACCOUNTS.get(region, "none")
    accounts = ("*", account, *(f"arn:{name}:iam::{account}:root" for name in ("aws", "aws-cn", "aws-us-gov")))
    named = _list(principal.get("AWS"))
    return PRINCIPAL in _list(principal.get("Service")) or any(one in accounts for one in named)


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def write(world: World, bucket: str, key: str, body: bytes | Modelled) -> None:
    """Put an object, or the promise of one; it draws no id that another object would have had."""
    from runbook_lib.sandbox import moto_objects

    host = clients.host("s3", world.settings.region)
    content = body if isinstance(body, bytes) else b""
    # moto takes what is not signed for the public's, and lets nobody of it write where an object is already.
    headers = {"Host": str(host), "Authorization": PRINCIPAL}
    request = moto_protocol.foreign("PUT", f"https://{host}/{bucket}/{key}", headers, content)
    status, _, answer = moto_seam.ask(world, request, purpose=f"access-log/{bucket}")
    if status != 200:
        raise SandboxError(f"the access log {key} could not be written into {bucket}: {status} {answer[:200]!r}")
    if not isinstance(body, bytes):
        moto_objects.promise(world, bucket, key, body)
