"""What is kept: the buckets of artifacts and access logs, and the log groups of tasks and builds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Step
from runbook_lib.system import System

RETENTION_DAYS = 30
# Elastic Load Balancing user guide, enable-access-logging: the service principal that writes access logs.
LOG_DELIVERY_PRINCIPAL = "logdelivery.elasticloadbalancing.amazonaws.com"


@dataclass(frozen=True)
class Storage:
    """What exists of the buckets and log groups."""

    buckets: frozenset[str]
    versioned: frozenset[str]
    private: frozenset[str]
    policies: dict[str, Any]  # bucket -> policy document
    log_groups: dict[str, int | None]  # name -> days kept, None: for ever


def read_storage(account: Account, system: System) -> Storage:
    """What exists of the system's buckets and log groups."""
    s3 = account.client("s3")
    wanted = (system.artifacts_bucket, system.access_log_bucket)
    existing = [name for name in wanted if _exists(s3, name)]
    policies = {name: _policy(s3, name) for name in existing}
    return Storage(
        buckets=frozenset(existing),
        versioned=frozenset(n for n in existing if s3.get_bucket_versioning(Bucket=n).get("Status") == "Enabled"),
        private=frozenset(name for name in existing if _is_private(s3, name)),
        policies={name: policy for name, policy in policies.items() if policy is not None},
        log_groups=_log_groups(account.client("logs"), (system.log_group, system.build_log_group)),
    )


def plan_buckets(system: System, storage: Storage, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the two buckets: private, the artifacts versioned, the logs writable by the load balancer."""
    items = tuple(items)
    artifacts, logs = system.artifacts_bucket, system.access_log_bucket
    return (
        *_bucket(system, storage, items, "artifacts", artifacts),
        change(
            "storage.artifacts.versions",
            "Keep every version of an artifact",
            "s3:put_bucket_versioning",
            {"Bucket": artifacts, "VersioningConfiguration": {"Status": "Enabled"}},
            touches=artifacts,
            needed=None if artifacts in storage.versioned else "a rollback needs the artifacts of the former run",
            undo=GONE_BY_TEARDOWN,
        ),
        *_bucket(system, storage, items, "access_logs", logs),
        _put_policy(storage, "artifacts", artifacts, _encrypted_transport(system, artifacts)),
        _put_policy(storage, "access_logs", logs, _log_delivery(system, logs)),
    )


def plan_log_groups(system: System, storage: Storage, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the log groups of tasks and builds, with a retention of their own."""
    items = tuple(items)
    wanted = (("tasks", system.log_group), ("builds", system.build_log_group))
    return tuple(step for purpose, name in wanted for step in _log_group(system, storage, items, purpose, name))


def _bucket(system: System, storage: Storage, items: tuple[Item, ...], purpose: str, name: str) -> list[Step]:
    arguments: dict[str, Any] = {"Bucket": name}
    if system.region != "us-east-1":  # S3 refuses a location constraint in the region where it was born
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": system.region}
    block = {key: True for key in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")}
    return [
        make(
            f"storage.{purpose}",
            f"Make the bucket of the {purpose.replace('_', ' ')}",
            "s3:create_bucket",
            arguments,
            made=Made("s3:bucket", name),
            found={"Location": f"/{name}"} if name in storage.buckets else None,
            items=items,
        ),
        change(
            f"storage.{purpose}.private",
            "Keep the public out of it",
            "s3:put_public_access_block",
            {"Bucket": name, "PublicAccessBlockConfiguration": block},
            touches=name,
            needed=None if name in storage.private else "it holds source code or clients' addresses",
            undo=GONE_BY_TEARDOWN,
        ),
    ]


def _put_policy(storage: Storage, purpose: str, bucket: str, policy: dict[str, Any]) -> Step:
    return change(
        f"storage.{purpose}.policy",
        f"Say who may use the bucket of the {purpose.replace('_', ' ')}",
        "s3:put_bucket_policy",
        {"Bucket": bucket, "Policy": json.dumps(policy)},
        touches=bucket,
        needed=None if storage.policies.get(bucket) == policy else "its policy is not the one wanted",
        undo=GONE_BY_TEARDOWN,
    )


def _encrypted_transport(system: System, bucket: str) -> dict[str, Any]:
    arn = f"arn:{system.partition}:s3:::{bucket}"
    return _policy_document(
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def _log_delivery(system: System, bucket: str) -> dict[str, Any]:
    return _policy_document(
        {
            "Sid": "AccessLogDelivery",
            "Effect": "Allow",
            "Principal": {"Service": LOG_DELIVERY_PRINCIPAL},
            "Action": "s3:PutObject",
            "Resource": f"arn:{system.partition}:s3:::{bucket}/AWSLogs/{system.account}/*",
        }
    )


def _policy_document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _log_group(system: System, storage: Storage, items: tuple[Item, ...], purpose: str, name: str) -> list[Step]:
    kept = storage.log_groups.get(name, -1)
    return [
        make(
            f"storage.logs.{purpose}",
            f"Make the log group of the {purpose}",
            "logs:create_log_group",
            {"logGroupName": name, "tags": system.tags},
            made=Made("logs:log-group", name),
            found={} if name in storage.log_groups else None,
            items=items,
        ),
        change(
            f"storage.logs.{purpose}.retention",
            f"Keep its lines {RETENTION_DAYS} days",
            "logs:put_retention_policy",
            {"logGroupName": name, "retentionInDays": RETENTION_DAYS},
            touches=name,
            needed=None if kept == RETENTION_DAYS else "log groups keep everything for ever by default",
            undo=GONE_BY_TEARDOWN,
        ),
    ]


def _exists(s3: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            return False
        raise
    return True


def _policy(s3: Any, bucket: str) -> Any:
    return _or_none(lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), "NoSuchBucketPolicy")


def _is_private(s3: Any, bucket: str) -> bool:
    answer = _or_none(lambda: s3.get_public_access_block(Bucket=bucket), "NoSuchPublicAccessBlockConfiguration")
    return bool(answer) and all(answer["PublicAccessBlockConfiguration"].values())


def _or_none(read: Any, code: str) -> Any:
    from botocore.exceptions import ClientError

    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return None
        raise


def _log_groups(logs: Any, names: tuple[str, ...]) -> dict[str, int | None]:
    found = {}
    for name in names:
        for group in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            if group["logGroupName"] == name:
                found[name] = group.get("retentionInDays")
    return found
