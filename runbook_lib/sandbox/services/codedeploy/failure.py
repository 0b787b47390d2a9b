"""Why a deployment failed or was stopped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """An ErrorCode of the API with its message (CodeDeploy API reference, ErrorInformation)."""

    code: str
    message: str
