"""What a topic of Amazon SNS tells its subscribers: queues and functions hear of it; moto keeps the topics.

Nothing leaves the sandbox: subscribers by e-mail, SMS and HTTP hear nothing.  Nobody can verify the signatures.
Sources: SNS developer guide, sns-message-and-json-formats, sns-sqs-as-subscriber and sns-lambda-as-subscriber.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox.policy import allows, on_behalf

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PRINCIPAL = "sns.amazonaws.com"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """A message on its way to one subscriber."""

    topic: str  # ARN
    subscription: str  # ARN
    protocol: str
    endpoint: str
    raw: bool  # without the envelope
    id: str
    message: str
    subject: str | None
    attributes: Mapping[str, Mapping[str, Any]]
    group: str | None  # of a FIFO topic
    deduplication: str | None


def deliver(world: World, notice: Notice) -> None:
    """Tell one subscriber; one that cannot be told hears nothing, and the sandbox's log says why."""
    tell = _WAYS.get(notice.protocol)
    if tell is None:
        return
    why = tell(world, notice)
    if why:
        LOG.warning("SNS: %s was not told by %s: %s", notice.endpoint, notice.topic, why)


def _to_queue(world: World, notice: Notice) -> str:
    try:
        return _sent(world, notice)
    except ClientError as refused:
        return f"{refused.response['Error']['Code']}: {refused.response['Error']['Message']}"


def _sent(world: World, notice: Notice) -> str:
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=notice.endpoint.rpartition(":")[2])["QueueUrl"]
    if world.settings.realism:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        own = world.settings.account
        question = on_behalf(PRINCIPAL, "sqs:SendMessage", notice.endpoint, source=notice.topic, account=own)
        if not allows(found.get("Policy", ""), question):
            return "the queue's policy does not allow sns.amazonaws.com to sqs:SendMessage"
    fifo = {"MessageGroupId": notice.group, "MessageDeduplicationId": notice.deduplication}
    more: dict[str, Any] = {key: value for key, value in fifo.items() if value} if url.endswith(".fifo") else {}
    if notice.raw:
        more["MessageAttributes"] = {name: _for_queue(told) for name, told in notice.attributes.items()}
    sqs.send_message(QueueUrl=url, MessageBody=notice.message if notice.raw else _enveloped(world, notice), **more)
    return ""


def _for_queue(told: Mapping[str, Any]) -> dict[str, Any]:
    kind = "BinaryValue" if str(told["Type"]).startswith("Binary") else "StringValue"
    return {"DataType": told["Type"], kind: told["Value"] if kind == "BinaryValue" else str(told["Value"])}


def _enveloped(world: World, notice: Notice) -> str:
    return json.dumps({"Type": "Notification", **_content(world, notice, urls=("SigningCertURL", "UnsubscribeURL"))})


def _to_function(world: World, notice: Notice) -> str:
    from runbook_lib.sandbox.services import lambda_

    function = lambda_.find(world, notice.endpoint)
    if function is None:
        return "there is no such function"
    if not lambda_.service_may(world, function, PRINCIPAL, notice.topic):
        return "the function's policy does not allow sns.amazonaws.com to lambda:InvokeFunction"
    told = {"Type": "Notification", **_content(world, notice, urls=("SigningCertUrl", "UnsubscribeUrl"))}
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": notice.subscription,
        "Sns": {"Subject": None, "MessageAttributes": {}, **told},
    }
    lambda_.send(world, notice.endpoint, json.dumps({"Records": [record]}))
    return ""


def _content(world: World, notice: Notice, *, urls: tuple[str, str]) -> dict[str, Any]:
    region = world.settings.region
    moment = world.datetime()
    digest = hashlib.sha256(f"{notice.id}/{notice.message}".encode()).digest()
    optional: dict[str, Any] = {"Subject": notice.subject, "MessageAttributes": dict(notice.attributes)}
    place = f"https://sns.{region}.amazonaws.com/"
    return {
        "MessageId": notice.id,
        "TopicArn": notice.topic,
        "Message": notice.message,
        "Timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        "SignatureVersion": "1",
        "Signature": base64.b64encode(digest).decode(),
        urls[0]: f"{place}SimpleNotificationService-0.pem",
        urls[1]: f"{place}?Action=Unsubscribe&SubscriptionArn={notice.subscription}",
        **{key: value for key, value in optional.items() if value},
    }


_WAYS: dict[str, Callable[[World, Notice], str]] = {"sqs": _to_queue, "lambda": _to_function}
