"""The services that behave: an explicit table of modules, each loaded when it is first asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from runbook_lib.sandbox.errors import SandboxError

HERE = "runbook_lib.sandbox"

# botocore's service name -> module with STORE, OPERATIONS, HANDLERS, and optionally MOTO and WSGI
SERVICES: dict[str, str] = {
    "codecommit": f"{HERE}.services.codecommit",
    "codebuild": f"{HERE}.services.codebuild",
    "ecr": f"{HERE}.services.ecr",
    "codepipeline": f"{HERE}.services.codepipeline",
    "codeconnections": f"{HERE}.services.codeconnections",
    "codestar-connections": f"{HERE}.services.codeconnections",  # the former name of the same service
    "events": f"{HERE}.services.events",
    "ecs": f"{HERE}.services.ecs",
    "elbv2": f"{HERE}.services.elbv2",
    "codedeploy": f"{HERE}.services.codedeploy",
    "cloudwatch": f"{HERE}.services.cloudwatch",
    "sts": f"{HERE}.services.sts",
    "iam": f"{HERE}.services.iam",
    "logs": f"{HERE}.services.logs",
    "service-quotas": f"{HERE}.services.servicequotas",
    "athena": f"{HERE}.services.athena",
    **dict.fromkeys(
        ("ce", "pricing", "chatbot", "codestar-notifications", "cloudformation"), f"{HERE}.services.refused"
    ),
    "application-autoscaling": f"{HERE}.services.applicationautoscaling",
    "lambda": f"{HERE}.services.lambda_",
    "cloudtrail": f"{HERE}.services.cloudtrail",
}

# what else keeps a store or has handlers, under the first word of their names
PARTS: dict[str, str] = {
    "traffic": f"{HERE}.traffic",
    "live": f"{HERE}.traffic.live",
    "participants": f"{HERE}.participants",
}


def module(service: str) -> ModuleType | None:
    """The module of a service that behaves, or None for one that is left to moto."""
    path = SERVICES.get(service)
    return _load(path) if path else None


def handler(name: str) -> Callable[..., None]:
    """The function behind the handler name of an event, such as codedeploy.run_event."""
    owner = _part(name.split(".", 1)[0])
    try:
        found: Callable[..., None] = owner.HANDLERS[name]
    except KeyError:
        raise SandboxError(f"{owner.__name__}.HANDLERS has no {name!r}; it has {sorted(owner.HANDLERS)}") from None
    return found


def new_store(name: str) -> Any:
    """A fresh store of a service or part."""
    return _part(name).STORE()


def wsgi_factories() -> dict[str, Callable[[Any], Any]]:
    """What the services serve besides AWS's protocols: path prefix -> factory(world) of a WSGI application."""
    loaded = filter(None, (module(service) for service in SERVICES))
    return {prefix: factory for each in loaded for prefix, factory in getattr(each, "WSGI", {}).items()}


def _part(name: str) -> ModuleType:
    path = SERVICES.get(name) or PARTS.get(name)
    found = _load(path) if path else None
    if found is None:
        raise SandboxError(f"no service or part is called {name!r}; there are {sorted({*SERVICES, *PARTS})}")
    return found


@cache
def _load(path: str) -> ModuleType | None:
    # A module that was never written is left out; one that exists and cannot be imported raises.
    spec = importlib.util.find_spec(path)
    return importlib.import_module(path) if spec is not None and spec.origin is not None else None
