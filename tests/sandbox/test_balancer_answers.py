"""What a load balancer answers to one request of somebody who lives in the world."""

from __future__ import annotations

import json
from typing import Any

import pytest
from codedeploy_stage import Stage, define, fresh

from runbook_lib.sandbox.front import Reply
from runbook_lib.sandbox.traffic import answering


@pytest.fixture
def stage() -> Stage:
    """Two healthy tasks behind a load balancer with listeners on 80 and 8080."""
    return fresh()


def name(stage: Stage) -> str:
    found: str = stage.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["DNSName"]
    return found


def get(stage: Stage, target: str = "/", port: int = 80, **headers: str) -> Reply:
    """The answer to a GET."""
    return answering.answer(stage.world, "GET", target, {"Host": f"{name(stage)}:{port}", **headers})


def rule(stage: Stage, condition: dict[str, Any], action: dict[str, Any]) -> None:
    stage.client("elbv2").create_rule(
        ListenerArn=stage.production, Priority=1, Conditions=[condition], Actions=[action]
    )


def fixed(text: str) -> dict[str, Any]:
    told = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text}
    return {"Type": "fixed-response", "FixedResponseConfig": told}


def test_a_version_answers_with_its_name(stage: Stage) -> None:
    """The status and the version are what the traffic model knows of an application."""
    status, headers, body = get(stage, "/orders")
    assert (status, headers["X-Version"], json.loads(body)["version"]) == (200, "1", "1")


def test_requests_are_spread_by_weight(stage: Stage) -> None:
    """One after the other, even at one moment: green has nothing to answer with."""
    stage.point(stage.production, {"blue": 50, "green": 50})
    statuses = [get(stage)[0] for _ in range(40)]
    assert set(statuses) == {200, 503}
    assert 8 <= statuses.count(503) <= 32


def test_a_health_page_tells_of_a_version_that_is_ill(stage: Stage) -> None:
    """On the path that the load balancer asks; other pages are served all the same."""
    stage.definitions[1] = define(stage, 2, APP_HEALTH="fail", APP_ERROR_RATE="0")
    for kept in stage.world.store("ecs").tasks.values():
        object.__setattr__(kept, "environment", {"APP_HEALTH": "fail", "APP_ERROR_RATE": "0"})
    path = stage.client("elbv2").describe_target_groups(Names=["blue"])["TargetGroups"][0]["HealthCheckPath"]
    assert [get(stage, path)[0], get(stage, "/orders")[0]] == [503, 200]


def test_errors_may_keep_to_one_path(stage: Stage) -> None:
    """All requests for it fail, with or without a query, and none of the others."""
    for kept in stage.world.store("ecs").tasks.values():
        object.__setattr__(kept, "environment", {"APP_ERROR_RATE": "1", "APP_ERROR_PATH": "/orders"})
    assert {get(stage, "/orders?sort=item")[0] for _ in range(10)} == {500}
    assert {get(stage)[0] for _ in range(10)} == {200}


@pytest.mark.parametrize(
    ("condition", "target", "headers"),
    [
        ({"Field": "path-pattern", "Values": ["/api/*"]}, "/api/x?y=1", {}),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "b*"}]}}, "/?v=beta", {}),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Try", "Values": ["yes"]}},
            "/",
            {"x-try": "YES"},
        ),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}, "/", {}),
    ],
)
def test_a_rule_takes_what_meets_its_conditions(
    stage: Stage, condition: dict[str, Any], target: str, headers: dict[str, str]
) -> None:
    """All other requests go the way of the listener itself."""
    rule(stage, condition, fixed("from the rule"))
    assert get(stage, target, **headers)[2] == b"from the rule"
    assert get(stage, "/", port=8080)[0] == 200


def test_a_redirect_keeps_what_it_does_not_change(stage: Stage) -> None:
    """Here the path and the query, to another port and protocol."""
    told = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    rule(stage, {"Field": "path-pattern", "Values": ["/*"]}, {"Type": "redirect", "RedirectConfig": told})
    status, headers, _ = get(stage, "/a?b=c")
    assert (status, headers["Location"]) == (301, f"https://{name(stage)}:443/a?b=c")


def test_names_lead_only_to_listeners_that_are_there(stage: Stage) -> None:
    """An unknown name, a port without a listener, and a listener."""
    asked = [("nobody.elb.amazonaws.com", "80"), (name(stage), "81"), (name(stage).upper(), "80")]
    assert [answering.resolve(stage.world, *each) for each in asked] == ["unknown", "refused", "here"]


def test_a_proxy_is_asked_for_a_whole_url(stage: Stage) -> None:
    """As curl --proxy does, at the address of a served world."""
    status, _, body = answering.answer(stage.world, "GET", f"http://{name(stage)}:8080/x", {"Host": "ignored"})
    assert (status, json.loads(body)["path"]) == (200, "/x")
