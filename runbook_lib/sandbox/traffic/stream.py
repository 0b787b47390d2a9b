"""Where a container's output goes (ECS developer guide, using_awslogs)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stream:
    """Where a container's output goes."""

    group: str
    name: str

    @classmethod
    def of(cls, declared: Mapping[str, Any], task_id: str) -> Stream | None:
        """The stream prefix/container/task-id; None for a container that logs elsewhere."""
        logging = declared.get("logConfiguration", {})
        options = logging.get("options", {})
        if logging.get("logDriver") != "awslogs" or "awslogs-group" not in options:
            return None
        return cls(options["awslogs-group"], f"{options.get('awslogs-stream-prefix', '')}/{declared['name']}/{task_id}")
