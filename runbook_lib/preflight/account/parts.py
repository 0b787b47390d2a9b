"""Reads part after part of an account: what AWS does not let us read becomes a trouble, and reading goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.preflight.picture import Trouble

Told = TypeVar("Told")
Asked = ParamSpec("Asked")

# What AWS answers when a part does not exist, by error code.
ABSENT = frozenset(
    {
        "ApplicationDoesNotExistException",
        "ClusterNotFoundException",
        "DeploymentGroupDoesNotExistException",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "PipelineNotFoundException",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
        "TargetGroupNotFound",
    }
)


class Parts:
    """Reads the parts of a picture and keeps what goes wrong."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []

    def read(self, part: str, ask: Callable[Asked, Told], *arguments: Asked.args, **more: Asked.kwargs) -> Told | None:
        """What AWS says of a part; None when there is no such part, and when AWS refuses: that is kept as a trouble."""
        try:
            return ask(*arguments, **more)
        except ClientError as error:
            told = error.response["Error"]
            if told["Code"] not in ABSENT:
                self._trouble(part, error.operation_name, f"{told['Code']}: {told['Message']}")
        except BotoCoreError as error:
            self._trouble(part, part, str(error))
        return None

    def _trouble(self, part: str, where: str, seen: str) -> None:
        self.troubles.append(
            Trouble(part, where, seen, "an answer", "allow the call, or run the check with another role")
        )
