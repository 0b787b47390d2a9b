"""Athena where the logs lie: what is made for it and removed, what a query costs at most, and what it does not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accesslog_stage import HOUR, MESSY, PRICES, TABLE, WORLD, Stage, fresh, same

from runbook_lib.accesslog import LocalLogs, Progress, read_access_logs
from runbook_lib.accesslog.athena import Athena, Estimate, estimate, plan_drop, plan_table
from runbook_lib.errors import BadInput, Refused, RunbookError
from runbook_lib.inventory import read_inventory
from runbook_lib.removal import REMOVALS, Removal
from runbook_lib.step import Plan, apply
from runbook_lib.story.teardown import ORDER
from tests.logs_made import START, key, make


@pytest.fixture
def stage() -> Iterator[Stage]:
    with fresh() as stage:
        yield stage


def test_a_plan_is_applied_twice_and_taken_back(stage: Stage, tmp_path: Path) -> None:
    """The second time there is nothing to do; afterwards nothing is left but the logs."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    plan = plan_table(stage.account, stage.logs, TABLE, world=WORLD)
    assert [step.id for step in plan.needed] == []
    assert {item.kind for item in read_inventory(stage.account, WORLD)} == {"athena:database", "athena:work-group"}
    drop = plan_drop(stage.account, TABLE, world=WORLD)
    apply(drop, account=stage.account, journal=stage.journal)
    assert read_inventory(stage.account, WORLD) == ()
    assert plan_drop(stage.account, TABLE, world=WORLD).steps == ()
    assert read_access_logs(stage.logs, HOUR).requests > 0


def test_tear_down_knows_how_to_remove_them(stage: Stage, tmp_path: Path) -> None:
    """The database first, then the work group; what is gone needs no step."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    items = sorted(read_inventory(stage.account, WORLD), key=lambda item: ORDER.index(item.kind))
    system: Any = None  # these kinds ask nothing of it
    for item in items:
        steps = REMOVALS[item.kind](Removal(stage.account, system, item))
        assert steps[-1].gone == item
        apply(Plan("Remove", WORLD, tuple(steps)), account=stage.account, journal=stage.journal)
        assert not any(step.needed for step in REMOVALS[item.kind](Removal(stage.account, system, item)))
    assert read_inventory(stage.account, WORLD) == ()
    assert plan_drop(stage.account, TABLE, world=WORLD).steps == ()


def test_another_cutoff_or_log_changes_what_is_there(stage: Stage, tmp_path: Path) -> None:
    """The work group's cut-off, and the table."""
    stage.upload(make(replace(MESSY, lines=50), tmp_path), tmp_path)
    stage.athena()
    other = replace(stage.logs, prefix="other")
    plan = plan_table(stage.account, other, replace(TABLE, most_bytes=20_000_000), world=WORLD)
    assert [step.id for step in plan.needed] == ["athena.cutoff", "athena.table.drop", "athena.table"]
    apply(plan, account=stage.account, journal=stage.journal)
    assert plan_table(stage.account, other, replace(TABLE, most_bytes=20_000_000), world=WORLD).needed == ()


def test_a_work_group_of_somebody_else_is_not_touched(stage: Stage) -> None:
    """What the runbooks did not make is refused."""
    stage.account.client("athena").create_work_group(Name=TABLE.work_group)
    with pytest.raises(Refused, match="orders-logs exists and is not in the inventory"):
        plan_table(stage.account, stage.logs, TABLE, world=WORLD)


def test_the_estimate_is_the_bytes_of_the_partitions(stage: Stage, tmp_path: Path) -> None:
    """Of every load balancer in the folders of the days; and what Athena then reads is just that."""
    truth = make(replace(MESSY, seed=3), tmp_path)
    stage.upload(truth, tmp_path)
    stage.put(key(START, "198.51.100.20", "x", balancer="app/other/1", packed=False), b"y" * 1000)
    expected = estimate(stage.logs, HOUR, PRICES)
    size = sum(path.stat().st_size for path in truth.files) + 1000
    assert (expected.files, expected.bytes, expected.usd) == (len(truth.files) + 1, size, 10_000_000 / 1e12 * 6.5)
    assert "0.00007 USD a query by the prices of 2026-02-01" in str(expected)
    read_access_logs(stage.logs, HOUR, engine=stage.athena(expected))
    queries = stage.account.client("athena").list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]
    scanned = [scan(stage, id) for id in queries]
    assert {size, 0} == set(scanned)


def test_a_query_tells_how_far_it_has_come(stage: Stage, tmp_path: Path) -> None:
    """In what state it is and how many bytes it has read, of those that were estimated; no time left follows."""
    stage.upload(make(replace(MESSY, lines=100, bad=0), tmp_path), tmp_path)
    engine, heard = stage.athena(), list[Progress]()
    read_access_logs(stage.logs, HOUR, engine=engine, tell=heard.append)
    size = engine.agreed.bytes
    assert [(one.doing, one.bytes, one.of_bytes) for one in heard[:-1]] == [
        ("Athena: queued", 0, size),
        ("Athena: running", 0, size),
        ("Athena: succeeded", size, size),
    ]
    assert str(heard[1]).startswith(f"Athena: running, 0.0 of {size / 1e6:.1f} MB, for ")
    assert {one.left for one in heard} == {None}
    assert (heard[-1].files, heard[-1].doing) == (heard[-1].of_files, "")


def scan(stage: Stage, id: str) -> int:
    told = stage.account.client("athena").get_query_execution(QueryExecutionId=id)["QueryExecution"]
    return int(told["Statistics"]["DataScannedInBytes"])


def test_more_than_was_agreed_to_is_not_asked(stage: Stage, tmp_path: Path) -> None:
    """No query is started."""
    stage.upload(make(replace(MESSY, lines=100), tmp_path), tmp_path)
    engine = stage.athena(Estimate(1, 100, 0.0, "-"))
    before = len(stage.journal.entries)
    with pytest.raises(BadInput, match="at most 100, as agreed"):
        read_access_logs(stage.logs, HOUR, engine=engine)
    assert len(stage.journal.entries) == before


def test_the_work_group_cancels_what_grows_meanwhile(stage: Stage, tmp_path: Path) -> None:
    """The cap holds also where the estimate was wrong."""
    stage.upload(make(replace(MESSY, lines=100), tmp_path), tmp_path)
    engine = stage.athena()
    stage.account.client("athena").update_work_group(
        WorkGroup=TABLE.work_group, ConfigurationUpdates={"BytesScannedCutoffPerQuery": 10_000_000}
    )
    stage.put(key(START, "198.51.100.20", "y", packed=False), b"z" * 10_000_001)
    wide = replace(engine, agreed=Estimate(1, 1 << 30, 0.1, "-"))
    with pytest.raises(BadInput, match="within the cut-off of its work group"):
        read_access_logs(stage.logs, HOUR, engine=wide)


def test_the_same_question_is_not_paid_for_twice(stage: Stage, tmp_path: Path) -> None:
    """Its answer is remembered by its token; another file makes another question."""
    stage.upload(make(replace(MESSY, lines=100, bad=0), tmp_path), tmp_path)
    engine, athena = stage.athena(), stage.account.client("athena")
    first = read_access_logs(stage.logs, HOUR, engine=engine)
    count = len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"])
    assert same(first, read_access_logs(stage.logs, HOUR, engine=engine))
    assert len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]) == count
    stage.put(key(START + timedelta(minutes=10), "198.51.100.99", "y", packed=False), b"")
    read_access_logs(stage.logs, HOUR, engine=replace(engine, agreed=estimate(stage.logs, HOUR, PRICES)))
    assert len(athena.list_query_executions(WorkGroup=TABLE.work_group)["QueryExecutionIds"]) == count + 1


def test_a_damaged_file_ends_a_query_and_is_mended(stage: Stage, tmp_path: Path) -> None:
    """Athena does not read half a file; what was asked again after the mending is not the old failure."""
    truth = make(replace(MESSY, lines=200, bad=0), tmp_path)
    stage.upload(truth, tmp_path)
    engine, name = stage.athena(), str(truth.files[0].relative_to(tmp_path))
    content = truth.files[0].read_bytes()
    stage.put(name, content[:-20])
    with pytest.raises(RunbookError, match=r"FAILED: HIVE_CURSOR_ERROR.*next: a damaged file is read by the engine"):
        read_access_logs(stage.logs, HOUR, engine=engine)
    assert read_access_logs(stage.logs, HOUR).coverage.troubled[0][1].startswith("half-written")
    stage.put(name, content)
    stage.account.clock.sleep(60)
    assert read_access_logs(stage.logs, HOUR, engine=engine).requests == truth.histogram.total()


def test_athena_reads_no_folder(stage: Stage, tmp_path: Path) -> None:
    """And its names are checked."""
    make(replace(MESSY, lines=100), tmp_path)
    with pytest.raises(BadInput, match="Athena reads nothing else"):
        read_access_logs(
            LocalLogs(tmp_path), HOUR, engine=Athena(stage.account, stage.journal, TABLE, Estimate(0, 0, 0, "-"))
        )
    for wrong in ({"most_bytes": 5}, {"results": "/tmp"}, {"database": "a-b"}):
        with pytest.raises(BadInput, match="Athena: seen"):
            replace(TABLE, **wrong)
