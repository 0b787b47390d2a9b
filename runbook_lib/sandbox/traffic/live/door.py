"""Where the processes of tasks call the world: an endpoint, and the credentials of their task role.

A served world has a listener already, whose requests stand in its journal. One in this process opens its own, and
answers what came when it looks at the outside.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from runbook_lib.sandbox.front import Front, Inbox

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World


class Door:
    """The endpoint of a world for its tasks; `url` is that of the server, "" where the world is not served."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._inbox: Inbox = queue.SimpleQueue()
        self._front: Front | None = None

    @property
    def url(self) -> str:
        """Where to call; a listener is opened when it is first asked for."""
        if self._url:
            return self._url
        if self._front is None:
            self._front = Front(self._inbox).open()
        return self._front.url

    def serve(self, world: World) -> None:
        """Answer what came since the last time."""
        from runbook_lib.sandbox.attendant import Attendant

        attendant = Attendant(world)
        for _ in range(self._inbox.qsize()):
            attendant.serve(self._inbox.get())

    def close(self) -> None:
        """Listen no more."""
        if self._front is not None:
            self._front.close()
            self._front = None


def credentials(world: World, task: Task) -> dict[str, str]:
    """The credentials of a task's role as environment variables; none without a role, as on ECS."""
    from runbook_lib.sandbox.services import ecs
    from runbook_lib.sandbox.services.ecs.secrets import role_arn
    from runbook_lib.sandbox.services.sts import session_arn

    role = ecs.task_definition(world, task.task_definition_arn).get("taskRoleArn")
    if not role:
        return {}
    key, secret = world.gateway.credentials_for(session_arn(role_arn(world, role), task.id))
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": key}
