"""The form of a fault's file, how it strikes, and who may play it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runbook_lib import params
from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.errors import BadInput, Refused
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import stories
from runbook_lib.runbook import opened
from runbook_lib.story import faults, worlds
from tests import faults as page
from tests.preflight.conftest import PARAMS
from tests.preflight.faults.conftest import World

ENDS = "ends: {says: x}\n"
WRONG = {
    "no rule": (f"tells: x\n{ENDS}", "f.yaml: seen: no rule"),
    "an unknown rule": (f"rule: Z1\ntells: x\n{ENDS}", "f.yaml:1: seen: Z1"),
    "an unknown key": (f"rule: D1\ntells: x\nfix: 1\n{ENDS}", "f.yaml:3: seen: fix"),
    "no ending": ("rule: D1\ntells: x\n", "neither says, nor shows with finds"),
    "a speaker that is none": ("rule: D1\ntells: x\nends: {says: x, by: nobody}\n", "f.yaml:3: seen: nobody"),
    "a wish that is not told": (f"rule: D1\ntells: x\nthen: wish\n{ENDS}", "wish, and no wish"),
    "a call that is none": (f"rule: D1\ntells: x\ncalls: [{{call: listen}}]\n{ENDS}", "service:operation"),
    "two ways to change a file": (
        f"rule: D1\ntells: x\nfiles: [{{path: a, text: b, delete: true}}]\n{ENDS}",
        "exactly one of replace, text, size, delete",
    ),
    "a look without a value": ("rule: D1\ntells: x\nends: {finds: [{call: 'a:b', path: c}]}\n", "no is"),
    "a name that is a number": (f"rule: D1\ntells: 3\n{ENDS}", "f.yaml:2: seen: 3; wanted: a text"),
}


def written(folder: Path, text: str) -> str:
    """The path of a fault's file."""
    path = folder / "f.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    """File, line, what is seen and what is wanted."""
    text, told = WRONG[case]
    with pytest.raises(BadInput) as refused:
        faults.load(written(tmp_path, text))
    assert told in str(refused.value)


def test_every_failure_mode_is_played_or_says_why_not() -> None:
    """None of the 75 is forgotten, and none is both."""
    played = {faults.load(name).rule for name in faults.names()}
    modes = {id for id in stories() if id[1:].isdigit()}
    assert played | set(faults.unplayed()) == modes
    assert not played & set(faults.unplayed())
    assert played <= {rule.id for rule in RULES}
    assert len(played) >= 45


def test_a_fault_is_called_by_its_rule() -> None:
    """The name begins with the id."""
    assert [name for name in faults.names() if name.partition("-")[0] != faults.load(name).rule] == []


def test_the_page_of_faults_is_the_generated_one() -> None:
    """`make faults` writes it from the rules and the faults."""
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run `make faults`"


@pytest.mark.parametrize("name", ["A1-no-taskdef-in-artifact", "C6-network-load-balancer"])
def test_a_fault_strikes_once(world: World, name: str) -> None:
    """A second time finds it done: nothing is called again."""
    fault = faults.load(name)
    faults.strike(world.account, world.system, fault, journal=world.journal)
    done = len(list(world.journal.of("step")))
    faults.strike(world.account, world.system, fault, journal=world.journal)
    assert len(list(world.journal.of("step"))) == done > 0


def test_a_fault_that_was_killed_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done is not done again, and its answer is not needed again."""
    fault = faults.load("A1-no-taskdef-in-artifact")

    def killed(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("runbook_lib.repository.plan_commit", killed)
        with pytest.raises(KeyboardInterrupt):
            faults.strike(world.account, world.system, fault, journal=world.journal)
    faults.strike(world.account, world.system, fault, journal=world.journal)
    calls = [entry.fields["call"] for entry in world.journal.of("step")][-3:]
    assert calls == ["events:DisableRule", "codecommit:CreateCommit", "events:EnableRule"]
    assert world.verdicts()["A1"] is Verdict.FAIL


def test_one_world_has_one_fault(world: World) -> None:
    """A second one would not be the one that is told."""
    faults.strike(world.account, world.system, faults.load("D22-red-alarm"), journal=world.journal)
    with pytest.raises(BadInput, match="a world with the fault D22-red-alarm"):
        faults.strike(world.account, world.system, faults.load("B2-not-privileged"), journal=world.journal)


def test_a_fault_is_refused_on_aws(world: World) -> None:
    """Whatever the parameters say."""
    real = replace(world.account, target="aws")
    with pytest.raises(Refused, match="a sandbox"):
        faults.strike(real, world.system, faults.load("B2-not-privileged"), journal=world.journal)


def test_a_fault_that_does_not_fit_the_application_changes_nothing(world: World, tmp_path: Path) -> None:
    """Its place in the file is not there."""
    path = written(tmp_path, f"rule: A6\ntells: x\nfiles: [{{path: taskdef.json, replace: nowhere}}]\n{ENDS}")
    before = world.account.client("codecommit").get_branch(repositoryName="orders", branchName="main")["branch"]
    with pytest.raises(BadInput, match=r"taskdef\.json without 'nowhere'"):
        faults.strike(world.account, world.system, faults.load(path), journal=world.journal)
    after = world.account.client("codecommit").get_branch(repositoryName="orders", branchName="main")["branch"]
    assert after == before


def test_a_name_that_nobody_told_is_refused(world: World, tmp_path: Path) -> None:
    """With the names that there are."""
    call = "{call: 'ecs:describe_services', arguments: {services: ['${servise}']}}"
    path = written(tmp_path, f"rule: D1\ntells: x\ncalls: [{call}]\n{ENDS}")
    with pytest.raises(BadInput, match=r"\$\{servise\}; wanted: .*service"):
        faults.strike(world.account, world.system, faults.load(path), journal=world.journal)


def test_the_world_of_a_fault_has_the_same_past(world: World) -> None:
    """It is remembered without the fault, and struck afterwards."""
    account, system = opened(str(PARAMS), {"sandbox.scenario": "B2-not-privileged"})
    journal = world.journal
    worlds.bring(account, system, "bluegreen", journal=journal)
    project = account.client("codebuild").batch_get_projects(names=[system.project])["projects"][0]
    assert project["environment"]["privilegedMode"] is False
    worlds.bring(account, system, "bluegreen", journal=journal)  # a second time it is so already


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sandbox.scenario": "D1-test-listener"}, "did you mean D1-test-listener-elsewhere?"),
        ({"sandbox.scenario": "D22"}, "did you mean D22-red-alarm?"),
        ({"sandbox.scenario": "nowhere.yaml"}, "the path of its file"),
        (
            {"sandbox.scenario": "D22-red-alarm", "target": "aws", "account": "123456789012", "region": "us-east-1"},
            "played in a sandbox alone",
        ),
    ],
)
def test_parameters_refuse_a_fault_that_cannot_be_played(settings: dict[str, str], told: str) -> None:
    """Before anything starts."""
    with pytest.raises(BadInput) as refused:
        params.load(PARAMS, settings)
    assert told in str(refused.value)


def test_a_fault_of_ones_own_is_meant_as_seen_from_the_parameter_file(tmp_path: Path) -> None:
    """As an application is."""
    written(tmp_path, f"rule: D1\ntells: x\n{ENDS}")
    (tmp_path / "params").mkdir()
    file = tmp_path / "params" / "p.yaml"
    file.write_text("sandbox:\n  scenario: f.yaml\n", encoding="utf-8")
    assert params.load(file).sandbox.scenario == str(tmp_path / "f.yaml")


def test_check_finds_a_fault_that_is_played(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """`runbook check -f ... -p sandbox.scenario=...` is bad, and says which question."""
    arguments = ["check", "-f", str(PARAMS), "-p", "sandbox.scenario=D1-test-listener-elsewhere"]
    assert main(arguments) == 3
    told = capsys.readouterr().out
    assert "FAIL         D1   Do both listeners and all rules lead to the target group of the live tasks?" in told
    assert "DescribeRules: port 9001" in told


def test_check_asks_of_a_group_that_is_not_made_yet(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What AWS would refuse is found in the request."""
    file = tmp_path / "group.json"
    file.write_text('{"applicationName": "orders", "deploymentGroupName": "new"}', encoding="utf-8")
    assert main(["check", "-f", str(PARAMS), "--group", str(file)]) == 3
    told = capsys.readouterr().out
    assert "FAIL         C2   Is the group's style BLUE_GREEN with traffic control?" in told
    assert "FAIL         C3 " in told


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "an input of `aws ecs create-service`"), ("[]", "no serviceName"), ('{"serviceName": 3}', "no serviceName")],
)
def test_a_request_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    """Before the account is opened."""
    file = tmp_path / "service.json"
    file.write_text(text, encoding="utf-8")
    assert main(["check", "-f", str(PARAMS), "--service", str(file)]) == 2
    assert told in capsys.readouterr().err


def test_a_request_needs_an_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder alone has none."""
    assert main(["check", str(tmp_path), "--group", "x.json"]) == 2
    assert "wanted: an account" in capsys.readouterr().err
