"""A line of traefik's access log as the request that an Application Load Balancer would have told of.

Source: ELB user guide, load-balancer-access-logs, for what the fields mean; 460: the client went away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from runbook_lib.sandbox.services.elbv2.store import Listener, groups_in
from runbook_lib.sandbox.traffic.live.routing import Names, Route
from runbook_lib.sandbox.traffic.live.walltime import Pace
from runbook_lib.sandbox.traffic.record import Record

# What traefik shall write of a request.
FIELDS = (
    *("RouterName", "ServiceName", "ServiceURL", "StartUTC", "Duration", "Overhead"),
    *("ClientHost", "ClientPort", "RequestMethod", "RequestHost", "RequestPath", "RequestProtocol"),
    *("RequestContentSize", "DownstreamStatus", "DownstreamContentSize", "OriginStatus", "OriginDuration"),
)
NANO = 1e9
GONE, CLIENT_GONE = 499, 460  # traefik's and the load balancer's word for it
OWN_ANSWERS = (502, 504)  # traefik gives them when a target does not answer, and logs them as the target's


def record(
    line: bytes, *, names: Names, pace: Pace, listener: Callable[[str], Listener | None], trace: Callable[[], str]
) -> Record | None:
    """The request behind a line; None for one that met no listener of the world (any more)."""
    said: dict[str, Any] = json.loads(line)
    route = names.routers.get(said.get("RouterName", ""))
    entered = listener(route.listener) if route else None
    if route is None or entered is None:
        return None
    began = datetime.fromisoformat(said["StartUTC"]).timestamp()
    answered = _target_answered(said)
    target = names.targets.get(said.get("ServiceURL", ""))
    origin = said["OriginDuration"] / NANO
    whole = said["Duration"] / NANO
    return Record(
        listener=entered.arn,
        rule_priority=route.priority,
        group=_group(said, route, names),
        target=target,
        client=f"{said['ClientHost']}:{said['ClientPort']}",
        kind=entered.protocol.lower(),
        method=said["RequestMethod"],
        url=f"{entered.protocol.lower()}://{said['RequestHost']}:{entered.port}{said['RequestPath']}",
        protocol=said["RequestProtocol"],
        user_agent=said.get("request_User-Agent", "-"),
        began=pace.in_world(began),
        ended=pace.in_world(began + whole),
        request_processing=said["Overhead"] / NANO if target else None,
        target_processing=origin if answered else None,
        response_processing=max(0.0, whole - origin - said["Overhead"] / NANO) if answered else None,
        status=CLIENT_GONE if said["DownstreamStatus"] == GONE else said["DownstreamStatus"],
        target_status=said["OriginStatus"] if answered else None,
        received_bytes=max(0, said["RequestContentSize"]),
        sent_bytes=said["DownstreamContentSize"],
        trace=said.get("request_X-Amzn-Trace-Id") or trace(),
    )


def _target_answered(said: Mapping[str, Any]) -> bool:
    status = said.get("OriginStatus", 0)
    return bool(status) and (status not in OWN_ANSWERS or "origin_Date" in said) and status != GONE


def _group(said: Mapping[str, Any], route: Route, names: Names) -> str | None:
    """The group that was chosen; traefik does not name one without targets, so the only one that fits is meant."""
    named = names.services.get(said.get("ServiceName", ""))
    if named or route.action["Type"] != "forward":
        return named
    empty = [group for group in groups_in([route.action]) if group in names.empty]
    return empty[0] if len(empty) == 1 else None
