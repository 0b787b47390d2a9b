"""Runbooks that take an ECS Fargate service to blue/green deployments, and operate them."""

__version__ = "0.1.0"

from runbook_lib.runbook import begin

__all__ = ["__version__", "begin"]
