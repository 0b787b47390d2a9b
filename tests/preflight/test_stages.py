"""What a notebook asks before it starts, and that a bad answer keeps it from starting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbook_lib import sandbox, views
from runbook_lib.check import ask, checks
from runbook_lib.errors import CheckFailed
from runbook_lib.preflight import stages
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.report import examine
from runbook_lib.preflight.rules import RULES
from runbook_lib.runbook import Runbook, begin
from runbook_lib.story import release

PARAMS = str(Path(__file__).parents[2] / "params" / "sandbox.yaml")
GOOD = checks("ready", (ask("Is it?", True, seen="yes", wanted="yes"),))


@pytest.fixture
def run() -> Iterator[Runbook]:
    """A release that has begun in a good world."""
    if sandbox._embedded:
        sandbox._embedded.close()
    yield begin("30_release", PARAMS, world="bluegreen")
    sandbox._embedded.close()  # type: ignore[union-attr]


def asking(root: Path) -> set[str]:
    """The notebooks in which preflight is asked."""
    found = set()
    for path in (root / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any("run.preflight(" in "".join(cell["source"]) for cell in cells):
            found.add(path.stem)
    return found


def test_every_notebook_that_asks_has_its_questions(root: Path) -> None:
    """And every id of them is a rule."""
    assert asking(root) == set(stages.STAGES)
    assert {id for ids in stages.STAGES.values() for id in ids} <= {rule.id for rule in RULES}


def test_a_good_world_may_be_released_to(run: Runbook, capsys: pytest.CaptureFixture[str]) -> None:
    """The answers stand in the journal, and an INCONCLUSIVE one does not stop anybody."""
    run.preflight(GOOD)
    entry = next(run.journal.of("preflight"))
    assert entry.fields["not_good"] == ["B4"]
    assert "B4 Is nothing pushed or handed over after a failed build?" in capsys.readouterr().out


def test_a_fail_stops_before_the_gate(run: Runbook) -> None:
    """With exit code 3, and with the command that tells more."""
    account, system = run.account, run.system
    account.client("codedeploy").update_deployment_group(
        applicationName=system.deploy_application,
        currentDeploymentGroupName=system.deploy_group,
        deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
    )
    with pytest.raises(CheckFailed, match="D18 Is green checked before it gets all traffic") as raised:
        run.preflight(GOOD)
    assert raised.value.exit_code == 3
    assert "`runbook explain D18` tells more" in raised.value.next_step


def test_a_release_that_is_under_way_is_gone_on_with(run: Runbook, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed in its midst and run again; somebody else's deployment is told as ever."""
    applied = run.apply(run.plan(release.plan_release, "2.0.0", {}))
    release.wait_for_deployment(run.account, run.system, release.wait_for_run(run.account, run.system, applied))
    ready = run.check(release.check_safe, "2.0.0", {})
    run.preflight(ready)
    assert "it is gone on with" in capsys.readouterr().out
    foreign = run.check(release.check_safe, "3.0.0", {})
    with pytest.raises(CheckFailed, match="D9 "):
        run.preflight(foreign)
    run.end()


def test_the_table_has_a_row_for_every_branch_and_every_bad_answer(good: Picture) -> None:
    """FAIL comes first; the rest is counted."""
    assert good.live is not None
    assert good.live.group is not None
    group = replace(good.live.group, kind="IN_PLACE")
    report = examine(replace(good, live=replace(good.live, group=group)))
    counts, bad = views.preflight_tables(report)
    assert counts.title.endswith(": FAIL")
    assert counts.headings == ("about", "questions", "OK", "SKIP", "INCONCLUSIVE", "ERROR", "FAIL")
    assert len(counts.rows) == len(list(report.sections()))
    assert [row[1] for row in bad.rows] == ["FAIL", "INCONCLUSIVE"]
    assert bad.rows[0][0].startswith("C2 ")


def test_nothing_bad_needs_no_second_table(good: Picture) -> None:
    """The counts alone."""
    assert len(list(views.preflight_tables(stages.examine_stage("15_move_service", good)))) == 1


def test_a_notebook_that_asks_nothing_cannot_ask() -> None:
    """A notebook without questions of its own is a fault of the library."""
    with pytest.raises(KeyError):
        stages.examine_stage("90_tear_down", Picture())
