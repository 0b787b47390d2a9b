"""Lists of what no account of the sandbox can have: credentials and report groups are refused where they are made.

Source: CodeBuild API reference, ListSourceCredentials, ListReportGroups and ListBuildBatches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call


def source_credentials(call: Call) -> dict[str, Any]:
    """ListSourceCredentials."""
    return {"sourceCredentialsInfos": []}


def report_groups(call: Call) -> dict[str, Any]:
    """ListReportGroups; an empty list is not told."""
    return {}


def build_batches(call: Call) -> dict[str, Any]:
    """ListBuildBatches."""
    return {"ids": []}


OPERATIONS = {
    "ListSourceCredentials": source_credentials,
    "ListReportGroups": report_groups,
    "ListBuildBatches": build_batches,
}
