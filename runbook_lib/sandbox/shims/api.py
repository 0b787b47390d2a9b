"""A plain caller of AWS's JSON APIs: what a command of the build host uses where the real one would speak to AWS."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.shims.seat import Seat

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiRefused(Exception):
    """AWS's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True)
class Ecr:
    """ECR as the child's own role sees it."""

    seat: Seat
    region: str

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer of one operation."""
        request = urllib.request.Request(self.seat.endpoint, json.dumps(params).encode(), self._headers(operation))
        try:
            with NO_PROXY.open(request) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            raise _refusal(error.read()) from None

    def _headers(self, operation: str) -> dict[str, str]:
        key = self.seat.credentials["AWS_ACCESS_KEY_ID"]
        scope = f"{key}/20260101/{self.region}/ecr/aws4_request"
        token = self.seat.credentials.get("AWS_SESSION_TOKEN")
        return {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Host": f"api.ecr.{self.region}.amazonaws.com",
            **({"X-Amz-Security-Token": token} if token else {}),
        }


def _refusal(body: bytes) -> ApiRefused:
    answer = json.loads(body)
    return ApiRefused(answer["__type"].rpartition("#")[2], answer.get("message") or answer.get("Message", ""))
