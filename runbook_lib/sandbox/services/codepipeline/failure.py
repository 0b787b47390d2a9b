"""Why an action failed, in the words of its errorDetails (botocore's FailureType)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from runbook_lib.sandbox.errors import AwsError

JOB_FAILED, CONFIGURATION, PERMISSION = "JobFailed", "ConfigurationError", "PermissionError"


class ActionFailed(Exception):
    """The code and message of an action's errorDetails."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@contextmanager
def asking(service: str) -> Iterator[None]:
    """What another service refuses fails the action, with that service's own words and error code."""
    try:
        yield
    except AwsError as refused:
        raise ActionFailed(JOB_FAILED, _told(service, refused.message, refused.status, refused.code)) from refused
    except ClientError as refused:
        error, status = refused.response["Error"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
        raise ActionFailed(JOB_FAILED, _told(service, error["Message"], status, error["Code"])) from refused


def _told(service: str, message: str, status: int, code: str) -> str:
    return f"{message} (Service: {service}; Status Code: {status}; Error Code: {code})"
