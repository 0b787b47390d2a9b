"""What the policy of a queue, topic, log group or function says to a service that acts for a rule or topic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.sandbox.policy import allows, on_behalf

QUEUE = "arn:aws:sqs:us-east-1:123456789012:heard"
RULE = "arn:aws:events:us-east-1:123456789012:rule/sold"
QUESTION = on_behalf("events.amazonaws.com", "sqs:SendMessage", QUEUE, source=RULE, account="123456789012")
GOOD = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
}


def without(key: str, **more: Any) -> dict[str, Any]:
    """The good statement with another element in the place of one."""
    return {name: value for name, value in GOOD.items() if name != key} | more


def on(**conditions: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD, "Condition": conditions}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    "statement",
    [
        GOOD,
        {**GOOD, "Principal": "*"},
        {**GOOD, "Principal": {"AWS": "*"}},
        {**GOOD, "Principal": {"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}},
        {**GOOD, "Action": ["sns:Publish", "SQS:Send*"]},
        {**GOOD, "Resource": "arn:aws:sqs:*:*:hear?"},
        without("Action", NotAction="sqs:DeleteQueue"),
        on(ArnEquals={"aws:SourceArn": RULE}),
        on(ArnLike={"AWS:SourceArn": "arn:aws:events:*:123456789012:rule/*"}),
        on(StringEquals={"aws:SourceAccount": "123456789012"}),
        on(StringLike={"aws:SourceArn": ["arn:aws:sns:*", "arn:aws:events:*"]}),
        on(Bool={"aws:SecureTransport": True}),
        on(StringNotEquals={"aws:SourceOrgID": "o-1"}),
        on(StringEqualsIfExists={"aws:SourceOrgID": "o-1"}),
    ],
)
def test_a_service_is_let_in(statement: dict[str, Any]) -> None:
    """Whoever is named with it, by patterns, and by the conditions that its context keys meet."""
    assert allows(document(statement), QUESTION)
    assert allows(json.dumps({"Statement": statement}), QUESTION)


@pytest.mark.parametrize(
    "statements",
    [
        [{**GOOD, "Principal": {"Service": "sns.amazonaws.com"}}],
        [{**GOOD, "Principal": {"AWS": "123456789012"}}],
        [{**GOOD, "Action": "sqs:ReceiveMessage"}],
        [{**GOOD, "Resource": f"{QUEUE}-dead"}],
        [{**GOOD, "Resource": QUEUE.replace("heard", "HEARD")}],
        [{**GOOD, "Resource": QUEUE.replace("heard", "[h]eard")}],
        [without("Principal")],
        [without("Principal", NotPrincipal={"Service": "sns.amazonaws.com"})],
        [without("Action", NotAction="sqs:*")],
        [on(ArnEquals={"aws:SourceArn": f"{RULE}-not"})],
        [on(ArnLike={"aws:SourceArn": "arn:aws:*:rule/sold"})],
        [on(StringEquals={"aws:SourceArn": "arn:aws:events:*"})],
        [on(StringEquals={"aws:SourceAccount": "210987654321"})],
        [on(StringEquals={"aws:SourceOrgID": "o-1"})],
        [on(ArnEquals={"aws:SourceArn": RULE}, StringEquals={"aws:SourceAccount": "210987654321"})],
        [GOOD, {**GOOD, "Effect": "Deny", "Principal": "*", "Action": "sqs:*"}],
        [],
    ],
)
def test_a_service_is_kept_out(statements: list[dict[str, Any]]) -> None:
    """A Deny outweighs every Allow; StringEquals knows no patterns, and those of an ARN end at its colons."""
    assert allows(document(GOOD), QUESTION)
    assert not allows(document(*statements), QUESTION)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", document({**GOOD, "Effect": "Perhaps"}), document(on(Sees={}))])
def test_what_is_no_policy_lets_nobody_in(text: str) -> None:
    """No text, no JSON, no statement, no effect, no such operator."""
    assert not allows(text, QUESTION)
