"""The password of `aws ecr get-login-password`: whom it belongs to, where it opens and until when, sealed.

The real one is an opaque token of the same kind: base64 of a JSON object with payload, type and expiration (ECR user
guide, registry_auth).  This one can be checked without a secret of the world: it guards against mistakes, not attacks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

LIFETIME = 12 * 3600  # ECR API reference, GetAuthorizationToken


@dataclass(frozen=True)
class Password:
    """A password, read."""

    account: str
    region: str
    caller: str
    expires: int

    @property
    def opens(self) -> str:
        """The registry that it opens."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"


def make(*, account: str, region: str, caller: str, now: float) -> str:
    """The password of this caller."""
    payload = {"account": account, "region": region, "caller": caller, "expiration": int(now) + LIFETIME}
    sealed = {**payload, "payload": _seal(payload), "version": "2", "type": "DATA_KEY"}
    return base64.b64encode(json.dumps(sealed, sort_keys=True).encode()).decode()


def read(text: str) -> Password | None:
    """The password in this text; None for anything that `make` did not make."""
    try:
        sealed = json.loads(base64.b64decode(text, validate=True))
        payload = {key: sealed[key] for key in ("account", "region", "caller", "expiration")}
    except (ValueError, KeyError, TypeError):
        return None
    if sealed.get("payload") != _seal(payload):
        return None
    return Password(payload["account"], payload["region"], payload["caller"], payload["expiration"])


def _seal(payload: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
