"""Runbooks that take an ECS Fargate service to blue/green deployments, and operate them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.runbook import begin

__version__ = "0.1.0"
__all__ = ["__version__", "begin"]


def __getattr__(name: str) -> Any:
    # The command line starts without what only notebooks need.
    if name == "begin":
        from runbook_lib.runbook import begin

        return begin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
