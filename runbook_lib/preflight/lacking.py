"""What roles lack, as the least policies that allow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.preflight.live import Grant

ROLES = "roles"  # the rule of what no failure mode of its own is about
# Decisions beside "allowed" and "explicitDeny": no statement says yes; the part does not exist; nobody here can ask.
DENIED, MISSING, UNSEEN = "implicitDeny", "missing", "unseen"
TRUST = "its trust policy"


def statement(grant: Grant) -> dict[str, Any]:
    """The least that a role lacks, as a statement of a policy."""
    return _statement([grant.action], grant.resource, grant.passed_to)


def policies(grants: Iterable[Grant]) -> dict[str, dict[str, Any]]:
    """Role ARN -> the smallest policy that allows what it lacks; what a deny or a limit forbids no policy can allow."""
    lacking: dict[str, dict[tuple[str, str], set[str]]] = {}
    for grant in grants:
        if grant.decision == DENIED and grant.seen_all and not grant.limited:
            by_place = lacking.setdefault(grant.role, {})
            by_place.setdefault((grant.resource, grant.passed_to), set()).add(grant.action)
    return {role: {"Version": "2012-10-17", "Statement": _merged(by_place)} for role, by_place in lacking.items()}


def _merged(by_place: Mapping[tuple[str, str], set[str]]) -> list[dict[str, Any]]:
    """One statement for all resources of which the same is lacking."""
    merged: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (resource, passed_to), names in by_place.items():
        merged.setdefault((tuple(sorted(names)), passed_to), []).append(resource)
    return [
        _statement(list(names), resources if len(resources) > 1 else resources[0], passed_to)
        for (names, passed_to), resources in merged.items()
    ]


def _statement(names: list[str], resource: str | list[str], passed_to: str) -> dict[str, Any]:
    told: dict[str, Any] = {"Effect": "Allow", "Action": names if len(names) > 1 else names[0], "Resource": resource}
    if passed_to:
        told["Condition"] = {"StringEquals": {"iam:PassedToService": passed_to}}
    return told
