"""What the sandbox's services answer when they refuse a call, and what goes wrong in the sandbox itself."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error in AWS's words: the caller gets it as a ClientError with this code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.fields = code, message, status, fields

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.code, self.message, self.status, self.fields)


def _again(kind: type[AwsError], code: str, message: str, status: int, fields: dict[str, Any]) -> AwsError:
    return kind(code, message, status, **fields)


def not_simulated(what: str) -> AwsError:
    """The refusal of something that AWS would do and the sandbox does not: never a guessed answer."""
    return AwsError("NotImplemented", f"{what}: not simulated by the sandbox", 501)


class SandboxError(Exception):
    """The sandbox itself is used or built wrongly; never shown as an answer of AWS."""


class UnknownErrorCode(SandboxError):
    """A service answered with an error code that AWS's model of the operation does not hold."""
