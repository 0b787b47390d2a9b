"""What a load balancer answers to a single request of somebody who lives in the world: a hook, a smoke test.

Its listener's rules choose the action; a group's targets are reached as modelled traffic reaches them, and answer with
what is known of their version: a status, and its name.  These requests are not part of the metrics.
Sources: ELB user guide, listener-update-rules and load-balancer-troubleshooting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from runbook_lib.sandbox.front import Reply
from runbook_lib.sandbox.traffic import modelled
from runbook_lib.sandbox.traffic.behaviour import Behaviour

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import Action, Listener, LoadBalancer
    from runbook_lib.sandbox.world import World

NAMES = ".elb.amazonaws.com"
SERVER = {"Server": "awselb/2.0"}
PHRASES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable"}


@dataclass(frozen=True)
class Asked:
    """A request to a load balancer."""

    method: str
    host: str  # without the port
    port: int
    target: str  # path and query
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path or "/"


def is_for_balancer(host: str) -> bool:
    """Whether a Host header names a load balancer."""
    return host.partition(":")[0].lower().endswith(NAMES)


def resolve(world: World, name: str, port: str) -> str:
    """What somebody finds who looks a name up: "unknown", "refused" (no plain listener on that port) or "here"."""
    if _balancer(world, name) is None:
        return "unknown"
    return "here" if port.isdigit() and _listener(world, name, int(port)) else "refused"


def answer(world: World, method: str, target: str, headers: Mapping[str, str]) -> Reply:
    """The answer to a request whose Host header names a load balancer; target is a path or, for a proxy, a URL."""
    parts = urlsplit(target)
    given = {name.lower(): value for name, value in headers.items()}
    host, _, port = (parts.netloc or given.get("host", "")).partition(":")
    asked = Asked(method, host.lower(), int(port or 80), target.removeprefix(f"http://{parts.netloc}"), given)
    listener = _listener(world, asked.host, asked.port)
    if listener is None:
        return _page(502, f"{asked.host} has no plain HTTP listener on port {asked.port}")
    return _acted(world, _actions(world, listener, asked)[-1], asked)


def _balancer(world: World, name: str) -> LoadBalancer | None:
    from runbook_lib.sandbox.services.elbv2 import store

    known = store.store(world).load_balancers.values()
    return next((one for one in known if one.dns_name.lower() == name.lower()), None)


def _listener(world: World, name: str, port: int) -> Listener | None:
    from runbook_lib.sandbox.services import elbv2

    balancer = _balancer(world, name)
    if balancer is None or balancer.active_at > world.now:
        return None
    known = elbv2.listeners_of(world, balancer.arn)
    return next((one for one in known if (one.port, one.protocol) == (port, "HTTP")), None)


# ---- rules


def _actions(world: World, listener: Listener, asked: Asked) -> tuple[Action, ...]:
    from runbook_lib.sandbox.services import elbv2

    rules = sorted(elbv2.rules_of(world, listener.arn), key=lambda rule: rule.priority)
    taking = (rule.actions for rule in rules if all(_met(condition, asked) for condition in rule.conditions))
    return next(taking, listener.actions)


def _met(condition: Action, asked: Asked) -> bool:
    return _CONDITIONS[condition["Field"]](condition, asked)


def _header_met(condition: Action, asked: Asked) -> bool:
    config = condition["HttpHeaderConfig"]
    seen = asked.headers.get(config["HttpHeaderName"].lower())
    return seen is not None and any(fnmatchcase(seen.lower(), value.lower()) for value in config["Values"])


def _query_met(condition: Action, asked: Asked) -> bool:
    seen = parse_qsl(urlsplit(asked.target).query, keep_blank_values=True)
    wanted = condition["QueryStringConfig"]["Values"]
    return any(
        fnmatchcase(value, one["Value"]) and ("Key" not in one or fnmatchcase(key, one["Key"]))
        for key, value in seen
        for one in wanted
    )


_CONDITIONS: dict[str, Callable[[Action, Asked], bool]] = {
    "path-pattern": lambda told, asked: any(fnmatchcase(asked.path, one) for one in told["Values"]),
    "host-header": lambda told, asked: any(fnmatchcase(asked.host, one.lower()) for one in told["Values"]),
    "http-request-method": lambda told, asked: asked.method in told["HttpRequestMethodConfig"]["Values"],
    "http-header": _header_met,
    "query-string": _query_met,
    "source-ip": lambda told, asked: "0.0.0.0/0" in told["SourceIpConfig"]["Values"],  # who asks has no address here
}


# ---- actions


def _acted(world: World, action: Action, asked: Asked) -> Reply:
    return _ACTIONS.get(action["Type"], _not_simulated)(world, action, asked)


def _fixed(world: World, action: Action, asked: Asked) -> Reply:
    told = action["FixedResponseConfig"]
    kind = told.get("ContentType", "text/plain")
    return int(told["StatusCode"]), {**SERVER, "Content-Type": kind}, told.get("MessageBody", "").encode()


def _redirect(world: World, action: Action, asked: Asked) -> Reply:
    told, parts = action["RedirectConfig"], urlsplit(asked.target)
    own = {"protocol": "http", "host": asked.host, "port": str(asked.port), "path": asked.path[1:]}
    own["query"] = parts.query

    def filled(name: str, usual: str) -> str:
        text = str(told.get(name, usual))
        for key, value in own.items():
            text = text.replace(f"#{{{key}}}", value)
        return text

    scheme = filled("Protocol", "#{protocol}").lower()
    query = filled("Query", "#{query}")
    place = f"{filled('Host', '#{host}')}:{filled('Port', '#{port}')}{filled('Path', '/#{path}')}"
    status = 301 if told["StatusCode"] == "HTTP_301" else 302
    return status, {**SERVER, "Location": f"{scheme}://{place}{'?' if query else ''}{query}"}, b""


def _forward(world: World, action: Action, asked: Asked) -> Reply:
    groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
    outcome = modelled.reach(world, {one["TargetGroupArn"]: one.get("Weight", 1) for one in groups}, asked.path)
    if outcome is None or not outcome.target_status:
        return _page(outcome.status if outcome else 503)
    told = _behaviour(world, outcome)
    status = outcome.status
    if told.health == "fail" and asked.path == _health_path(world, outcome.group):
        status = 503
    body = {"version": told.version, "status": status, "target": outcome.target, "path": asked.path}
    return status, {"Content-Type": "application/json", "X-Version": told.version}, json.dumps(body).encode()


def _behaviour(world: World, outcome: modelled.Outcome) -> Behaviour:
    from runbook_lib.sandbox.services import ecs

    address = outcome.target.rpartition(":")[0]
    tasks = {task.ip: task for task in ecs.tasks_behind(world, outcome.group)}
    return Behaviour.of(tasks[address].environment)


def _health_path(world: World, group: str) -> str:
    from runbook_lib.sandbox.services import elbv2

    return elbv2.target_group(world, group).health.path


def _not_simulated(world: World, action: Action, asked: Asked) -> Reply:
    return _page(502, f"actions of type {action['Type']} are not simulated")


def _page(status: int, why: str = "") -> Reply:
    title = f"{status} {PHRASES.get(status, 'Error')}"
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    end = f"<!-- sandbox: {why} -->\r\n" if why else ""
    return status, {**SERVER, "Content-Type": "text/html"}, f"{text}{end}</body>\r\n</html>\r\n".encode()


_ACTIONS: dict[str, Callable[[World, Any, Asked], Reply]] = {
    "fixed-response": _fixed,
    "redirect": _redirect,
    "forward": _forward,
}
