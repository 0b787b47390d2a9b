"""What is kept of a call for CloudTrail: its request and answer as they were, read only when somebody looks.

Keeping costs nothing but the memory; the default event history shows management events, so that nothing is kept of data
events.  Source: CloudTrail user guide, logging-data-events-with-cloudtrail and cloudtrail-concepts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from runbook_lib.sandbox.moto_protocol import Answer, Request

MOST = 64_000  # bytes of a request or an answer; CloudTrail leaves out what makes an event larger than 256 KB
HEADERS = ("Content-Type", "Host", "X-Amz-Target", "X-Amz-Invocation-Type")

FEATURES = re.compile(r"(?<= m/)\S+")  # which botocore lists in another order in each process
OBJECTS = (
    "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject DeleteObjectTagging "
    "DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectTagging HeadBucket HeadObject "
    "ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 ListParts PutObject PutObjectAcl "
    "PutObjectTagging RestoreObject SelectObjectContent UploadPart UploadPartCopy"
)
MESSAGES = (
    "ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch ReceiveMessage SendMessage "
    "SendMessageBatch"
)
# botocore's name of a service -> operations on its data
DATA: Mapping[str, frozenset[str]] = {
    name: frozenset(operations.split())
    for name, operations in {
        "cloudwatch": "GetMetricData GetMetricStatistics GetMetricWidgetImage ListMetrics PutMetricData",
        "dynamodb": "BatchGetItem BatchWriteItem DeleteItem GetItem PutItem Query Scan UpdateItem",
        "events": "PutEvents",
        "lambda": "Invoke InvokeAsync InvokeWithResponseStream",
        "logs": "FilterLogEvents GetLogEvents PutLogEvents",
        "s3": OBJECTS,
        "sns": "Publish PublishBatch",
        "sqs": MESSAGES,
    }.items()
}
READING = (
    *("BatchCheck", "BatchDescribe", "BatchGet", "Check", "Count", "Describe", "Discover", "Download", "Estimate"),
    *("Filter", "Get", "Head", "List", "Lookup", "Poll", "Preview", "Scan", "Search", "Select", "Simulate", "Test"),
    *("Validate", "View"),
)
READS = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"})


@dataclass(frozen=True, slots=True)
class Wire:
    """A request and what was answered; contents that are too large, and answers to reading calls, are left out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    agent: str
    status: int
    answered: dict[str, str]
    answer: bytes | None


def reads(operation: str) -> bool:
    """Whether an operation only looks."""
    return operation in READS or operation.startswith(READING)


def wire(service: str, operation: str, request: Request, answer: Answer) -> Wire | None:
    """What to keep of a call; nothing of a data event."""
    if operation in DATA.get(service, ()):
        return None
    status, headers, content = answer
    wanted = status >= 300 or not reads(operation)
    body = _body(request)
    return Wire(
        request.method,
        request.raw_url,
        {name: request.headers[name] for name in HEADERS if name in request.headers},
        body if len(body) <= MOST else None,
        sys.intern(FEATURES.sub(_in_order, request.headers.get("User-Agent", ""))),
        status,
        {name: str(value) for name, value in headers.items()} if wanted else {},
        content if wanted and len(content) <= MOST else None,
    )


def _body(request: Request) -> bytes:
    """What was sent; of a form that was read already only its fields are left."""
    content = request.get_data()
    return content or urlencode(list(request.form.items(multi=True))).encode()


def _in_order(features: re.Match[str]) -> str:
    return ",".join(sorted(features[0].split(",")))
