"""What AWS Lambda remembers besides its functions, which moto stores: the invocations that are under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


@dataclass(frozen=True)
class Function:
    """A version of a function as it is now."""

    name: str
    arn: str  # without a qualifier
    version: str
    qualifier: str  # as the caller gave it, "" when he gave none
    runtime: str
    package: str  # Zip or Image
    handler: str
    role: str
    timeout: float
    memory: int
    environment: dict[str, str]
    layers: tuple[str, ...]

    @property
    def qualified(self) -> str:
        """The ARN that permissions are about."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn

    @property
    def log_group(self) -> str:
        """Where its log goes."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: its payload, and Unhandled where the function failed; the tail of its log."""

    payload: str
    error: str
    tail: str


@dataclass
class Invocation:
    """One run of a function; `waits` tells whether its sleeping takes time of the world."""

    id: str
    function: Function
    event: str
    waits: bool
    log_stream: str
    began: float
    attempt: int = 0
    child: str = ""
    folder: str = ""
    timed_out: bool = False


@dataclass
class LambdaStore:
    """The invocations under way, and how synchronous ones ended until their callers have heard of it."""

    running: dict[str, Invocation] = field(default_factory=dict)
    ended: dict[str, Outcome] = field(default_factory=dict)


def store(world: World) -> LambdaStore:
    """The world's own."""
    found: LambdaStore = world.store("lambda")
    return found


def shown(function: Function) -> dict[str, Any]:
    """What a function's process is told of itself (Lambda developer guide, configuration-envvars)."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "_HANDLER": function.handler,
    }
