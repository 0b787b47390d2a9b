"""ECR's API as docker's own client of it: what the build host's docker speaks where the real one speaks to AWS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.shims.wire import Wire


class ApiRefused(Exception):
    """AWS's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True)
class Ecr:
    """ECR as the child's own role sees it."""

    wire: Wire
    region: str

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer of one operation."""
        reply = self.wire.ask("POST", "/", self._headers(operation), json.dumps(params).encode())
        answer: dict[str, Any] = json.loads(reply.body or b"{}")
        if reply.status >= 400:
            raise ApiRefused(answer["__type"].rpartition("#")[2], answer.get("message", ""))
        return answer

    def _headers(self, operation: str) -> dict[str, str]:
        door = self.wire.seat.door
        scope = f"{door['AWS_ACCESS_KEY_ID']}/20260101/{self.region}/ecr/aws4_request"
        return {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "X-Amz-Security-Token": door["AWS_SESSION_TOKEN"],
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0",
        }
