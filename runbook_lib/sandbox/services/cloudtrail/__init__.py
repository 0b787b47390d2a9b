"""AWS CloudTrail: the history of the management events of ninety days; trails are moto's to keep."""

from __future__ import annotations

from typing import Any

from runbook_lib.sandbox.services.cloudtrail import lookup

STORE = dict
OPERATIONS = lookup.OPERATIONS
HANDLERS: dict[str, Any] = {}
MOTO = frozenset(
    {
        "AddTags",
        "CreateTrail",
        "DeleteTrail",
        "DescribeTrails",
        "GetEventSelectors",
        "GetInsightSelectors",
        "GetTrail",
        "GetTrailStatus",
        "ListTags",
        "ListTrails",
        "PutEventSelectors",
        "PutInsightSelectors",
        "RemoveTags",
        "StartLogging",
        "StopLogging",
        "UpdateTrail",
    }
)
