"""Where an emulator falls short the sandbox behaves, or refuses by name; each row of the table is tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fidelity_stage import assert_refused, attempt

from runbook_lib.sandbox import services
from runbook_lib.sandbox.services.rest import Rest
from tests import simulated
from tests.fidelity import Row, incomplete, operations_of, rows

GONE: dict[str, Any] = {"call": "delete_cluster", "with": {"cluster": "none"}}
ROWS = [pytest.param(row, id=row.name[:80]) for row in rows()]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_true(row: Row) -> None:
    """Its probe shows what it says."""
    assert incomplete(row) == ""
    attempt(row)


@pytest.mark.parametrize("service", sorted(services.SERVICES))
def test_what_a_service_does_not_serve_is_refused_by_name(service: str) -> None:
    """Every operation of the API that is neither ours nor left to moto answers 501."""
    module = services.module(service)
    moto = getattr(module, "MOTO", ())
    assert module is not None
    absent = sorted(name for name in operations_of(service) if name not in module.OPERATIONS and name not in moto)
    assert_refused(service, tuple(absent))


@pytest.mark.parametrize("service", sorted(services.SERVICES))
def test_a_service_names_only_operations_that_there_are(service: str) -> None:
    """A misspelt one would never be asked for."""
    module = services.module(service)
    assert module is not None
    moto = getattr(module, "MOTO", frozenset())
    named = {*module.OPERATIONS, *(moto.but if isinstance(moto, Rest) else moto)}
    assert named <= operations_of(service) or service == "codestar-connections"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "perhaps"}, "state perhaps is none of"),
        ({"probe": ()}, "it has no probe that shows anything"),
        ({"probe": ({"wait": 5},)}, "it has no probe that shows anything"),
        ({"state": "approximated"}, "says how it differs"),
        ({"how": "in no way"}, "says how it differs"),
        ({"state": "refused"}, "names its operations"),
    ],
)
def test_a_row_that_proves_nothing_is_found(changes: dict[str, Any], words: str) -> None:
    """Without a probe, without the difference, without operations."""
    good = Row("ecs", ("x",), "It answers.", "behaves", probe=({"call": "list_clusters", "shows": {}},))
    assert incomplete(good) == ""
    assert words in incomplete(replace(good, **changes))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"call": "list_clusters", "shows": {"clusterArns": ["x"]}}, "ecs: x: list_clusters"),
        ({"call": "list_clusters", "refused": "ClientException"}, "was not refused with ClientException"),
        ({"call": "delete_cluster", "with": {"cluster": "none"}, "shows": {}}, "was refused: ClusterNotFoundException"),
        (
            {
                "call": "delete_cluster",
                "with": {"cluster": "none"},
                "refused": "ClusterNotFoundException: no such words",
            },
            "ClusterNotFoundException: ",
        ),
    ],
)
def test_a_row_that_is_not_true_fails(step: dict[str, Any], words: str) -> None:
    """A wrong value, a missing refusal, an unexpected one, and other words."""
    with pytest.raises(AssertionError) as failed:
        attempt(Row("ecs", ("x",), "It answers.", "behaves", probe=(step,)))
    assert words in str(failed.value)


def test_an_operation_that_is_answered_is_not_refused() -> None:
    """The check of refusals can fail."""
    with pytest.raises(AssertionError, match="ListClusters"):
        attempt(Row("ecs", ("x",), "It answers.", "refused", operations=("ListClusters",)))


def test_the_page_is_current() -> None:
    """`make simulated` writes it from the services and the table."""
    assert simulated.PAGE.read_text(encoding="utf-8") == simulated.text(), "run `make simulated`"
