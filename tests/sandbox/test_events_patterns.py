"""Event patterns: what they take and what they do not, asked of EventBridge itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_stage import Stage, fresh, refusal

ENVELOPE = {
    "id": "1",
    "account": "123456789012",
    "source": "shop",
    "time": "2026-03-02T09:00:00Z",
    "region": "us-east-1",
    "resources": ["hat-7", "shop-1"],
    "detail-type": "Sold",
}
DETAIL = {
    "item": "Hat.PNG",
    "price": 7,
    "paid": True,
    "note": None,
    "from": "10.0.0.17",
    "tags": ["red", "small"],
    "buyer": {"name": "ada"},
    "lines": [{"sku": "a"}, {"sku": "b"}],
}


@pytest.fixture(scope="module")
def world() -> Stage:
    return fresh()


def takes(world: Stage, pattern: dict[str, Any]) -> bool:
    found: bool = world.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(ENVELOPE | {"detail": DETAIL})
    )["Result"]
    return found


@pytest.mark.parametrize(
    ("pattern", "result"),
    [
        ({"source": ["shop"]}, True),
        ({"source": ["shop", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"source": ["shop"], "detail-type": ["Bought"]}, False),
        ({"resources": ["shop-1"]}, True),
        ({"resources": ["shop-2"]}, False),
        ({"detail": {"buyer": {"name": ["ada"]}}}, True),
        ({"detail": {"buyer": {"name": ["eve"]}}}, False),
        ({"detail": {"item": {"name": ["ada"]}}}, False),
        ({"detail": {"lines": {"sku": ["b"]}}}, True),
    ],
)
def test_values_are_taken_as_they_stand(world: Stage, pattern: dict[str, Any], result: bool) -> None:
    """Every field must be met, by one of its values; a list in the event by one of its elements."""
    assert takes(world, pattern) is result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"price": [7]}, True),
        ({"price": [7.0]}, True),
        ({"price": ["7"]}, False),
        ({"paid": [True]}, True),
        ({"paid": [1]}, False),
        ({"price": [True]}, False),
        ({"note": [None]}, True),
        ({"nothing": [None]}, False),
    ],
)
def test_values_have_their_types(world: Stage, value: dict[str, Any], result: bool) -> None:
    """A number is no text, true is not one, and null is not nothing."""
    assert takes(world, {"detail": value}) is result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"item": [{"prefix": "Hat"}]}, True),
        ({"item": [{"prefix": "hat"}]}, False),
        ({"item": [{"prefix": {"equals-ignore-case": "hat"}}]}, True),
        ({"price": [{"prefix": "7"}]}, False),
        ({"item": [{"suffix": ".PNG"}]}, True),
        ({"item": [{"suffix": {"equals-ignore-case": ".png"}}]}, True),
        ({"item": [{"equals-ignore-case": "hat.png"}]}, True),
        ({"item": [{"equals-ignore-case": "cap.png"}]}, False),
        ({"item": [{"wildcard": "H*.PNG"}]}, True),
        ({"item": [{"wildcard": "H*.png"}]}, False),
        ({"item": [{"wildcard": "*.*"}]}, True),
        ({"from": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"from": [{"cidr": "10.1.0.0/24"}]}, False),
        ({"item": [{"cidr": "10.0.0.0/24"}]}, False),
        ({"price": [{"numeric": [">", 5]}]}, True),
        ({"price": [{"numeric": [">", 5, "<=", 7]}]}, True),
        ({"price": [{"numeric": [">", 5, "<", 7]}]}, False),
        ({"price": [{"numeric": ["=", 7]}]}, True),
        ({"item": [{"numeric": [">", 5]}]}, False),
        ({"paid": [{"numeric": ["=", 1]}]}, False),
    ],
)
def test_texts_numbers_and_addresses_can_be_matched(world: Stage, value: dict[str, Any], result: bool) -> None:
    """Beginnings, ends, wildcards, ranges and networks."""
    assert takes(world, {"detail": value}) is result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"item": [{"anything-but": "Cap"}]}, True),
        ({"item": [{"anything-but": ["Cap", "Hat.PNG"]}]}, False),
        ({"price": [{"anything-but": [8, 9]}]}, True),
        ({"price": [{"anything-but": 7}]}, False),
        ({"item": [{"anything-but": {"prefix": "Hat"}}]}, False),
        ({"item": [{"anything-but": {"suffix": [".jpg", ".gif"]}}]}, True),
        ({"item": [{"anything-but": {"wildcard": "*.PNG"}}]}, False),
        ({"nothing": [{"anything-but": "Cap"}]}, False),
        ({"item": [{"exists": True}]}, True),
        ({"item": [{"exists": False}]}, False),
        ({"nothing": [{"exists": False}]}, True),
        ({"nothing": {"inner": [{"exists": False}]}}, True),
        ({"note": [{"exists": True}]}, True),
    ],
)
def test_what_is_not_there_can_be_asked_for(world: Stage, value: dict[str, Any], result: bool) -> None:
    """Anything but a value, and the absence of a field."""
    assert takes(world, {"detail": value}) is result


@pytest.mark.parametrize(
    ("either", "result"),
    [
        ([{"price": [9]}, {"item": [{"prefix": "Hat"}]}], True),
        ([{"price": [9]}, {"item": ["Cap"]}], False),
    ],
)
def test_one_of_several_patterns_is_enough(world: Stage, either: list[dict[str, Any]], result: bool) -> None:
    """$or, beside other fields that must be met too."""
    assert takes(world, {"source": ["shop"], "detail": {"$or": either}}) is result
    assert takes(world, {"source": ["other"], "detail": {"$or": either}}) is False


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ([], "Filter is not an object"),
        ({}, "Empty objects are not allowed"),
        ({"source": []}, "Empty arrays are not allowed"),
        ({"source": "shop"}, '"source" must be an object or an array'),
        ({"detail": {"a": {}}}, "Empty objects are not allowed"),
        ({"source": [["shop"]]}, "Match value must be String, number, true, false, or null"),
        ({"source": [{"like": "s"}]}, "Unrecognized match type like"),
        ({"source": [{"prefix": "s", "suffix": "p"}]}, "Only one key allowed in match expression"),
        ({"source": [{"exists": "yes"}]}, "exists match pattern must be either true or false."),
        ({"source": [{"numeric": [">"]}]}, "Value of numeric must be an array of signs and numbers."),
        ({"source": [{"prefix": 7}]}, "prefix match pattern must be a string"),
        ({"$or": [{"source": [{"like": "s"}]}]}, "Unrecognized match type like"),
    ],
)
def test_a_pattern_that_is_none_is_refused_before_any_event(world: Stage, pattern: Any, reason: str) -> None:
    """When the rule is made, with the reason."""
    told = {"Name": "x", "EventPattern": json.dumps(pattern)}
    wanted = ("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")
    assert refusal(world.client("events").put_rule, **told) == wanted
