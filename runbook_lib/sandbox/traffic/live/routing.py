"""What traefik is told: the sandbox's listeners, rules, weights and targets as a configuration of its file provider.

Pure: the world is read into `Route`s elsewhere.  Names carry no meaning for traefik; `Names` finds the way back from a
line of its access log to a listener, a rule and a target group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from runbook_lib.sandbox.services.elbv2.store import Action
from runbook_lib.sandbox.traffic.live.ports import CLOSED, LOOPBACK

Meaning = TypeVar("Meaning")
TRANSPORT = "targets"
IDLE = "2s"  # an idle connection to a target is let go before an ordinary application would close it
HIGHEST = 1_000_000  # ALB: the lowest number is first; traefik: the highest
KEPT = 500  # names of each kind whose meaning is remembered: lines of the log are read after the plan has changed
NOTHING = f"http://{LOOPBACK}:{CLOSED}"


@dataclass(frozen=True)
class Route:
    """A rule of a listener, or (priority 0) its default one, as traffic meets it."""

    listener: str  # ARN
    priority: int
    entrance: str  # the name of an entry point
    conditions: tuple[Action, ...]
    action: Action  # the last one, which routes


@dataclass(frozen=True)
class Serving:
    """The targets of a group that get requests: (address in the world, loopback URL)."""

    group: str  # ARN
    targets: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plan:
    """All that the load balancers do at a moment."""

    routes: tuple[Route, ...]
    serving: Mapping[str, Serving]  # by the ARN of the group


@dataclass(frozen=True)
class Names:
    """What the names in traefik's access log mean."""

    routers: Mapping[str, Route]
    services: Mapping[str, str]  # service -> ARN of the group
    targets: Mapping[str, str]  # loopback URL -> "ip:port" in the world
    empty: frozenset[str]  # ARNs of groups without a target to ask


def names(plan: Plan, former: Names | None = None) -> Names:
    """The way back from traefik's names, also from those that a former plan had and this one has not."""
    known = former or Names({}, {}, {}, frozenset())
    return Names(
        routers=_newest(known.routers, {f"{_router(route)}@file": route for route in plan.routes}),
        services=_newest(known.services, {f"{service(group)}@file": group for group in plan.serving}),
        targets=_newest(
            known.targets, {url: where for serving in plan.serving.values() for where, url in serving.targets}
        ),
        empty=frozenset(group for group, serving in plan.serving.items() if not serving.targets),
    )


def _newest(former: Mapping[str, Meaning], now: Mapping[str, Meaning]) -> dict[str, Meaning]:
    gone = [(name, meaning) for name, meaning in former.items() if name not in now]
    return {**dict(gone[-KEPT:]), **now}


def configuration(plan: Plan, generation: int) -> dict[str, Any]:
    """The dynamic configuration; a service named after the generation shows when it is in force."""
    services: dict[str, Any] = {marker(generation): _balanced([NOTHING])}
    services |= {service(one.group): _balanced([url for _, url in one.targets]) for one in plan.serving.values()}
    routers: dict[str, Any] = {}
    middlewares: dict[str, Any] = {}
    for route in plan.routes:
        name = _router(route)
        ROUTERS.get(route.action["Type"], _unserved)(name, route, services, middlewares)
        routers[name] = {
            "entryPoints": [route.entrance],
            "rule": rule(route.conditions),
            "priority": HIGHEST - route.priority if route.priority else 1,
            "service": name,
            **({"middlewares": [name]} if name in middlewares else {}),
        }
    http: dict[str, Any] = {"services": services, "serversTransports": {TRANSPORT: _transport()}}
    # traefik refuses an empty mapping.
    http |= {key: value for key, value in (("routers", routers), ("middlewares", middlewares)) if value}
    return {"http": http}


def marker(generation: int) -> str:
    """The name of the service that is there from a generation on."""
    return f"generation-{generation}"


def service(group: str) -> str:
    """The name of a target group's service."""
    return re.sub(r"[^A-Za-z0-9]", "-", group.partition(":targetgroup/")[2] or group)


def _router(route: Route) -> str:
    """The same for a rule in every plan: a line of the log that is read later still means it."""
    listener = route.listener.partition(":listener/")[2] or route.listener
    return f"route-{re.sub(r'[^A-Za-z0-9]', '-', listener)}-{route.priority}"


def _balanced(urls: Sequence[str]) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url} for url in urls], "serversTransport": TRANSPORT}}


def _transport() -> dict[str, Any]:
    return {
        "forwardingTimeouts": {"dialTimeout": "10s", "responseHeaderTimeout": "60s", "idleConnTimeout": IDLE},
        "maxIdleConnsPerHost": 64,
    }


# ---- actions


def _forward(name: str, route: Route, services: dict[str, Any], middlewares: dict[str, Any]) -> None:
    config = route.action["ForwardConfig"]
    shares = [(service(one["TargetGroupArn"]), one["Weight"]) for one in config["TargetGroups"] if one["Weight"]]
    weighted: dict[str, Any] = {"services": [{"name": group, "weight": weight} for group, weight in shares]}
    stickiness = config.get("TargetGroupStickinessConfig", {})
    if stickiness.get("Enabled"):
        weighted["sticky"] = {"cookie": {"name": "AWSALBTG", "maxAge": stickiness["DurationSeconds"]}}
    services[name] = {"weighted": weighted} if shares else _balanced([])


def _redirect(name: str, route: Route, services: dict[str, Any], middlewares: dict[str, Any]) -> None:
    wanted = route.action["RedirectConfig"]
    parts = {"protocol": "${1}", "host": "${2}", "port": "${4}", "path": "${5}", "query": "${7}"}
    url = "{Protocol}://{Host}:{Port}{Path}?{Query}".format(**{key: str(value) for key, value in wanted.items()})
    for key, group in parts.items():
        url = url.replace(f"#{{{key}}}", group)
    pattern = r"^(https?)://([^:/]+)(:(\d+))?/([^?]*)(\?(.*))?$"
    permanent = wanted["StatusCode"] == "HTTP_301"
    middlewares[name] = {"redirectRegex": {"regex": pattern, "replacement": url, "permanent": permanent}}
    services[name] = _balanced([])


def _unserved(name: str, route: Route, services: dict[str, Any], middlewares: dict[str, Any]) -> None:
    """Fixed responses and log-ins are not served live: what comes is 503."""
    services[name] = _balanced([])


ROUTERS: dict[str, Callable[[str, Route, dict[str, Any], dict[str, Any]], None]] = {
    "forward": _forward,
    "redirect": _redirect,
}


# ---- conditions


def rule(conditions: Sequence[Action]) -> str:
    """Conditions of a rule in traefik's words; all of them must hold, and of the values of each one."""
    held = [CONDITIONS[one["Field"]](one) for one in conditions]
    return " && ".join(f"({one})" for one in held) or "PathPrefix(`/`)"


def _values(condition: Action, config: str) -> list[str]:
    found = condition.get(config, {}).get("Values") or condition.get("Values") or ()
    return list(found)


def _pattern(value: str) -> str:
    """ALB's wildcards: * is any text, ? one character (ELB guide, rule-condition-types)."""
    return "^" + "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in value) + "$"


def _any(matcher: str, values: Sequence[str]) -> str:
    return " || ".join(f"{matcher}(`{value}`)" for value in values)


def _header(condition: Action) -> str:
    config = condition["HttpHeaderConfig"]
    name = config["HttpHeaderName"]
    return " || ".join(f"HeaderRegexp(`{name}`, `(?i){_pattern(value)}`)" for value in config["Values"])


def _query(condition: Action) -> str:
    pairs = condition["QueryStringConfig"]["Values"]
    return " || ".join(f"QueryRegexp(`{one.get('Key', '.*')}`, `{_pattern(one['Value'])}`)" for one in pairs)


CONDITIONS: dict[str, Callable[[Action], str]] = {
    "path-pattern": lambda one: _any("PathRegexp", [_pattern(value) for value in _values(one, "PathPatternConfig")]),
    "host-header": lambda one: _any(
        "HostRegexp", ["(?i)" + _pattern(value) for value in _values(one, "HostHeaderConfig")]
    ),
    "http-request-method": lambda one: _any("Method", _values(one, "HttpRequestMethodConfig")),
    "source-ip": lambda one: _any("ClientIP", _values(one, "SourceIpConfig")),
    "http-header": _header,
    "query-string": _query,
}
