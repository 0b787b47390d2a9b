"""What a sandbox world is made of: declared data, checked when it is made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import disturbance
from runbook_lib.sandbox.disturbance import Disturbance

START = 1772442000.0  # 2026-03-02T09:00:00Z
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")

# Sources: CodeBuild user guide, view-build-details-phases (the phases); the figures are round ones of a small project.
BUILD_PHASE_SECONDS: Mapping[str, float] = MappingProxyType(
    {
        "SUBMITTED": 0,
        "QUEUED": 1,
        "PROVISIONING": 10,
        "DOWNLOAD_SOURCE": 3,
        "INSTALL": 2,
        "PRE_BUILD": 5,
        "BUILD": 30,
        "POST_BUILD": 10,
        "UPLOAD_ARTIFACTS": 2,
        "FINALIZING": 1,
        "COMPLETED": 0,
    }
)

# What hurts on a real account and is shown unless realism is turned off.
PAINLESS: Mapping[str, Any] = MappingProxyType(
    {
        "role_propagation": 0.0,
        "first_use_of_service_linked_role": False,
        "metric_lag": 0.0,
        "late_points": False,
        "eni_linger": 0.0,
    }
)


@dataclass(frozen=True)
class Settings:
    """The account, the seed and the figures of a world; times are seconds."""

    account: str = "123456789012"
    region: str = "us-east-1"
    partition: str = "aws"
    seed: int = 1
    start: float = START
    clock: Literal["virtual", "scaled"] = "virtual"
    scale: float = 60.0  # seconds of the world in one second of the wall, on the scaled clock
    realism: bool = True
    task_provisioning: float = 10.0
    task_pending: float = 15.0
    image_pull: float = 10.0
    task_start: float = 5.0
    task_stop: float = 5.0
    target_registration: float = 5.0
    load_balancer_provisioning: float = 120.0
    role_propagation: float = 8.0
    first_use_of_service_linked_role: bool = True
    metric_lag: float = 120.0  # a closed minute becomes visible this long after its end
    late_points: bool = True
    build_phase_seconds: Mapping[str, float] = field(default_factory=lambda: dict(BUILD_PHASE_SECONDS))
    pipeline_action_latency: float = 2.0
    eni_linger: float = 60.0
    requests_per_second: float = 50.0
    traffic: Literal["modelled", "live"] = "modelled"
    disturbances: tuple[Disturbance, ...] = ()  # of modelled traffic; the first that covers a minute holds
    allow_commands: tuple[str, ...] = ()
    # connections that a person has completed: ARN -> full name of a repository -> its git remote (path or URL)
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, wrong, wanted in _RULES:
            if wrong(getattr(self, name)):
                raise _bad(name, getattr(self, name), wanted)
        for figure in fields(self):
            if figure.type == "float":
                _check_figure(figure.name, getattr(self, figure.name))
        if self.traffic == "live" and self.clock != "scaled":
            raise _bad("clock", self.clock, "scaled, because live traffic flows by the wall's time")
        object.__setattr__(self, "disturbances", _disturbances(self.disturbances))
        if self.disturbances and self.traffic == "live":
            raise _bad("disturbances", self.disturbances, "none with live traffic: real processes cannot be disturbed")
        object.__setattr__(self, "build_phase_seconds", _phases(self.build_phase_seconds))
        object.__setattr__(self, "allow_commands", tuple(self.allow_commands))
        if not self.realism:
            self._become_painless()

    def _become_painless(self) -> None:
        for name, value in PAINLESS.items():
            object.__setattr__(self, name, value)

    def with_(self, **changes: Any) -> Settings:
        """The same settings with some figures changed."""
        return replace(self, **changes)


_RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("account", lambda v: not (isinstance(v, str) and re.fullmatch(r"\d{12}", v)), "a string of 12 digits"),
    (
        "region",
        lambda v: not (isinstance(v, str) and re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", v)),
        "a region such as us-east-1",
    ),
    ("partition", lambda v: v not in PARTITIONS, f"one of {', '.join(PARTITIONS)}"),
    ("seed", lambda v: not isinstance(v, int) or isinstance(v, bool), "a whole number"),
    ("clock", lambda v: v not in ("virtual", "scaled"), "virtual or scaled"),
    ("traffic", lambda v: v not in ("modelled", "live"), "modelled or live"),
    ("scale", lambda v: isinstance(v, int | float) and v <= 0, "a factor above 0"),
    ("realism", lambda v: not isinstance(v, bool), "true or false"),
    ("first_use_of_service_linked_role", lambda v: not isinstance(v, bool), "true or false"),
    ("late_points", lambda v: not isinstance(v, bool), "true or false"),
    ("build_phase_seconds", lambda v: not isinstance(v, Mapping), "a mapping of phase to seconds"),
    ("allow_commands", lambda v: isinstance(v, str), "a list of command names"),
    ("connections", lambda v: not _maps_remotes(v), "ARN of a connection -> owner/repository -> path or URL"),
)


def _maps_remotes(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(isinstance(inner, Mapping) for inner in value.values()):
        return False
    pairs = [pair for inner in value.values() for pair in inner.items()]
    return all(str(arn).startswith("arn:") for arn in value) and all(
        isinstance(remote, str) and "/" in name for name, remote in pairs
    )


def _disturbances(given: Any) -> tuple[Disturbance, ...]:
    try:
        return tuple(disturbance.read(one) for one in given)
    except (ValueError, TypeError) as error:
        raise _bad("disturbances", given, f"a list, each {error}") from None


def _check_figure(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _bad(name, value, "a number of at least 0")


def _phases(given: Mapping[str, float]) -> dict[str, float]:
    for phase, seconds in given.items():
        if phase not in BUILD_PHASE_SECONDS:
            raise _bad("build_phase_seconds", phase, f"phases {', '.join(BUILD_PHASE_SECONDS)}")
        _check_figure(f"build_phase_seconds.{phase}", seconds)
    return {**BUILD_PHASE_SECONDS, **given}


def from_texts(texts: list[str]) -> Settings:
    """Settings from words such as seed=2 or allow_commands=["npm"]; values are JSON, or else plain text."""
    chosen: dict[str, Any] = {}
    known = {figure.name for figure in fields(Settings)}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            raise _bad(name, text, f"one of {', '.join(sorted(known))}")
        chosen[name] = value if name in ("account", "region", "partition", "clock", "traffic") else _json(name, value)
    if chosen.get("traffic") == "live":
        chosen.setdefault("clock", "scaled")
    return Settings(**chosen)


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise _bad(name, text, 'a value in JSON, such as 2, true or ["npm"]') from None


def _bad(name: str, value: Any, wanted: str) -> BadInput:
    return BadInput(
        where=f"sandbox settings, {name}",
        seen=repr(value),
        wanted=wanted,
        next_step=f"correct {name} in the parameters",
    )
