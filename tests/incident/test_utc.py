"""Times are told in UTC, wherever the machine stands that tells them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC

import pytest
import stories

from runbook_lib import deployment
from runbook_lib.story import capacity, release


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is five hours behind UTC in March."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()
    stories.close()


@pytest.mark.usefixtures("in_new_york")
def test_what_people_read_is_utc_on_every_machine() -> None:
    """Tables and charts that say UTC show it: a deployment of 09:26 began at 09:26."""
    account, system, _ = stories.begun("released")
    last = deployment.read_deployments(account, system)[0]
    assert last.created.tzinfo == UTC
    assert f"{last.created:%H:%M}" == "09:26"
    found = capacity.read(account, system, 24)
    assert capacity.usage(account, system, found).title.endswith("2026-03-02 09:05 to 09:42 UTC")
    assert "03-02 09:38 UTC" in capacity.chart(account, system, found).sentence
    assert release.read_live(account, system).version == "2.0.0"
