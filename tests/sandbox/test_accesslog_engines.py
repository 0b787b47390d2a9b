"""Three engines, one answer: DuckDB here, Dask on workers, Athena where the logs lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accesslog_stage import HOUR, MESSY, Stage, fresh, same, same_damage

from runbook_lib.accesslog import DuckDB, LocalLogs, read_access_logs, read_damage
from runbook_lib.errors import BadInput
from tests.logs_made import make


@pytest.fixture
def stage() -> Iterator[Stage]:
    with fresh() as stage:
        yield stage


@pytest.mark.parametrize("seed", range(20))
def test_athena_and_duckdb_give_the_same(stage: Stage, tmp_path: Path, seed: int) -> None:
    """Over the same files: every count, percentile, reason and sample, and the requests that were drawn."""
    truth = make(replace(MESSY, seed=seed, packed=seed % 2 == 0, minutes=10), tmp_path)
    stage.upload(truth, tmp_path)
    here = read_access_logs(LocalLogs(tmp_path), HOUR, engine=DuckDB(threads=1))
    there = read_access_logs(stage.logs, HOUR, engine=stage.athena())
    assert same(here, there)
    assert there.requests == truth.histogram.total()
    assert there.percentile(99) == here.percentile(99)


def test_damage_is_the_same_too(stage: Stage, tmp_path: Path) -> None:
    """By every dimension, in S3 and here."""
    stage.upload(make(replace(MESSY, seed=42), tmp_path), tmp_path)
    here = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60)
    assert same_damage(here, read_damage(stage.logs, HOUR, slow_ms=60, engine=stage.athena()))
    assert same_damage(here, read_damage(stage.logs, HOUR, slow_ms=60))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers in processes of their own."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    before = dict(os.environ)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", memory_limit=0
    ) as cluster:
        yield cluster.scheduler_address
    # distributed leaves what it told its workers, PYTHONHASHSEED among it, in this process.
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("seed", range(20))
def test_dask_and_duckdb_give_the_same(tmp_path: Path, scheduler: str, seed: int) -> None:
    """On two workers."""
    from runbook_lib.accesslog.dask import Dask

    make(replace(MESSY, seed=seed), tmp_path)
    here = read_access_logs(LocalLogs(tmp_path), HOUR, engine=DuckDB(threads=1))
    assert same(here, read_access_logs(LocalLogs(tmp_path), HOUR, engine=Dask(scheduler)))
    hurt = read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60, engine=Dask(scheduler))
    assert same_damage(hurt, read_damage(LocalLogs(tmp_path), HOUR, slow_ms=60))


def test_dask_takes_what_duckdb_counted(tmp_path: Path, scheduler: str) -> None:
    """The cache is one for all engines that read files."""
    from runbook_lib.accesslog.dask import Dask

    make(MESSY, tmp_path / "log")
    source, cache, seen = LocalLogs(tmp_path / "log"), tmp_path / "cache", list[Any]()
    here = read_access_logs(source, HOUR, cache=cache)
    assert same(here, read_access_logs(source, HOUR, cache=cache, engine=Dask(scheduler), tell=seen.append))
    assert seen[-1].fresh == 0


def test_no_scheduler_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its address."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    from runbook_lib.accesslog import dask

    monkeypatch.setattr(dask, "CONNECT", 0.2)
    make(MESSY, tmp_path)
    with pytest.raises(BadInput, match=r"no scheduler at tcp://127.0.0.1:9"):
        read_access_logs(LocalLogs(tmp_path), HOUR, engine=dask.Dask("tcp://127.0.0.1:9"))
