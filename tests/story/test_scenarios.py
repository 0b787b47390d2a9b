"""Every scenario is a release with its ending: the journal says what was decided and done, AWS what is live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from story_stage import PARAMS, Released, finish, opened, resumed, start, with_parameters, world

from runbook_lib import balancer, pipeline, service
from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.runbook import Runbook
from runbook_lib.story import release, scenario
from runbook_lib.story.scenario import Killed, Scenario

FOLDER = Path(PARAMS).parent / "scenarios"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def play(told: Scenario) -> tuple[Released, release.Live]:
    """A scenario from the first question to the ending; a killed runner is started again."""
    run = with_parameters(opened(), told.parameters)
    scenario.prepare(run.account, run.system, told)
    before = run.read(release.read_live)
    run = resumed(run, scenario.played(run.account, run.system, told))
    try:
        return _released(run, told, before), before
    except Killed:
        account = scenario.played(run.account, run.system, scenario.Scenario(**{**vars(told), "happens": ()}))
        return _released(resumed(run, account), told, before), before


def _released(run: Runbook, told: Scenario, before: release.Live) -> Released:
    try:
        started = start(run, told.version, told.environment)
    except RunbookError as error:
        return Released(run, None, None, error)
    return finish(run, started, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_ends_as_told(name: str) -> None:
    """The exit code, the decisions, the words of the ending, and what is live by listener, task set and tasks."""
    told = scenario.load(str(FOLDER / f"{name}.yaml"))
    made, before = play(told)
    seen = {key: SEEN[key](made, before, value) for key, value in told.wanted.items()}
    assert seen == dict(told.wanted), made.error


def _live(made: Released, before: release.Live, _: Any) -> str:
    """Which version serves: every listener leads to its group, and its tasks are healthy."""
    run = made.run
    found = service.read_service(run.account, run.system, run.system.service)
    lb = balancer.read_balancer(run.account, run.system)
    assert found is not None
    assert found.primary is not None
    assert balancer.check_listeners(run.system, lb, found.primary.target_group).bad == ()
    assert lb.groups[found.primary.target_group].healthy >= found.primary.desired
    return "former" if found.primary.revision == before.revision else "new"


def _says(made: Released, before: release.Live, wanted: str) -> str:
    return wanted if wanted in str(made.error) else str(made.error)


def _frozen(made: Released, before: release.Live, _: Any) -> bool:
    """The way into Deploy is closed, with the deployment and the bad commit in the reason."""
    delivery = pipeline.read_pipeline(made.run.account, made.run.system)
    stage = delivery.stage(pipeline.DEPLOY) if delivery else None
    assert stage is not None
    assert made.started is not None
    commit = pipeline.read_executions(made.run.account, made.run.system)[0].commit or ""
    reason = stage.closed_because or ""
    return not stage.open and made.started.id in reason and f"bad commit {commit[:7]}" in reason


SEEN = {
    "exit_code": lambda made, before, _: made.exit_code,
    "decisions": lambda made, before, _: made.decisions(),
    "steps": lambda made, before, _: made.steps(),
    "live": _live,
    "says": _says,
    "frozen": _frozen,
    "scaled": lambda made, before, _: any(entry.fields["scaled"] for entry in made.entries("sample")) or _grown(made),
    "met_users": lambda made, before, _: _met_users(made, before),
    "unanswered": lambda made, before, _: bool(made.entries("unanswered")),
}


def _met_users(made: Released, before: release.Live) -> bool:
    """Whether production traffic ever reached the new version."""
    weights = [entry.fields["weights"] for entry in made.entries("sample")]
    return any(weight for told in weights for group, weight in told.items() if group != before.target_group)


def _grown(made: Released) -> bool:
    """Whether more tasks ran at the end than at the beginning."""
    running = [set(entry.fields["running"].values()) for entry in made.entries("sample")]
    return "3 of 3" in set().union(*running)


def test_every_wanted_thing_can_be_seen() -> None:
    """A key that no test looks at would be a promise that nobody keeps."""
    for name in NAMES:
        wanted = scenario.load(str(FOLDER / f"{name}.yaml")).wanted
        assert {"exit_code", "live"} <= set(wanted) <= set(SEEN), name


def test_a_stop_leaves_the_evidence_in_the_journal() -> None:
    """Effect, interval, samples and what could have been seen, for each question and source."""
    made, _ = play(scenario.load(str(FOLDER / "errors_3.yaml")))
    (stop,) = [entry for entry in made.entries("decision") if entry.fields["action"] == "stop"]
    assert stop.fields["reason"].startswith("errors:")
    judgement = made.entries("judgement")[-1].fields
    failed = next(one for one in judgement["findings"] if one["verdict"] == "FAIL")
    assert failed["question"] == "errors"
    assert failed["green"]["requests"] > 0
    assert failed["ratio_between"][0] > 1
    assert failed["acts_at"] > failed["evidence_at"]


def test_a_dry_run_reports_and_does_not_act() -> None:
    """What would have been stopped goes on, and the alarm that is there for it does its work."""
    told = scenario.load(str(FOLDER / "errors_3.yaml"))
    dry = Scenario(**{**vars(told), "parameters": {**told.parameters, "release.judge": "report"}})
    made, _ = play(dry)
    (decision,) = [entry.fields for entry in made.entries("decision") if entry.fields["rule"] == "judged worse"]
    assert (decision["action"], decision["done"]) == ("stop", False)
    assert "deployment.stop" not in made.steps()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2.0.0\n", "no key tells"),
        ("tells: x\nhappend: []\n", "happens"),
        ("tells: x\nhappens: [{at: Install, do: explode}]\n", "explode"),
        ("tells: x\nhappens: [{do: stop}]\n", "at, seconds and do"),
        ("tells: x\nparameters: {release.trafic: canary}\n", "release.traffic"),
    ],
)
def test_a_wrong_scenario_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """With the nearest key that is known, before anything runs."""
    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        scenario.load(str(file))
    assert told in str(refused.value)
    assert json.dumps(str(refused.value))


def test_nothing_is_broken_on_a_real_account() -> None:
    """A scenario needs a sandbox."""
    run = opened()
    account = type(run.account)(**{**vars(run.account), "target": "aws"})
    with pytest.raises(BadInput, match="the sandbox: a scenario breaks things"):
        scenario.played(account, run.system, scenario.load(str(FOLDER / "healthy.yaml")))
    assert world() is not None
