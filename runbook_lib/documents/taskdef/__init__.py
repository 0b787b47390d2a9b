"""The task definition file: read, made from the running revision, edited, checked for Fargate."""

from runbook_lib.documents.taskdef.check import check
from runbook_lib.documents.taskdef.fargate import memory_for
from runbook_lib.documents.taskdef.text import (
    NAME,
    Container,
    containers,
    from_running,
    parse,
    placeholders,
    with_environment,
)

__all__ = [
    "NAME",
    "Container",
    "check",
    "containers",
    "from_running",
    "memory_for",
    "parse",
    "placeholders",
    "with_environment",
]
