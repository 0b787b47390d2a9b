"""The validation packed as a Lambda hook: made once, kept up to date, named in the AppSpec, and removed again."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
from story_stage import opened

from runbook_lib import balancer, hook, repository
from runbook_lib.documents import appspec
from runbook_lib.errors import BadInput
from runbook_lib.inventory import Item, read_inventory
from runbook_lib.removal import REMOVALS, Removal
from runbook_lib.runbook import Runbook
from runbook_lib.step import Plan
from runbook_lib.story import release

SPEC = appspec.build(appspec.AppSpec("app", 8080))


def plan(run: Runbook) -> Plan:
    items = read_inventory(run.account, run.system.name)
    lb = balancer.read_balancer(run.account, run.system)
    found = hook.read_function(run.account, run.system)
    return Plan("Hook", run.system.name, hook.plan_function(run.system, found, lb, items))


def needed(run: Runbook) -> list[str]:
    return [step.id for step in plan(run).needed]


def test_it_is_made_once_and_kept_up_to_date() -> None:
    """A second plan has nothing to do; another code or another path is brought to it."""
    run = opened(hook="AfterAllowTestTraffic")
    run.apply(plan(run))
    assert needed(run) == []
    own = run.params.model_copy(update={"release": run.params.release.model_copy(update={"probe_paths": ("/orders",)})})
    other = replace(run, system=replace(run.system, params=own))
    assert needed(other) == ["hook.environment"]
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr("validate.py", "def handler(event, context): ...\n")
    run.account.client("lambda").update_function_code(FunctionName=hook.name(run.system), ZipFile=content.getvalue())
    assert needed(run) == ["hook.code"]


def test_a_tear_down_removes_it() -> None:
    """Function and role are in the inventory, and it is known how each goes."""
    run = opened(hook="AfterAllowTestTraffic")
    run.apply(plan(run))
    kinds = {item.kind: item for item in read_inventory(run.account, run.system.name) if "ook" in item.name}
    assert set(kinds) == {"lambda:function", "iam:role"}
    item: Item = kinds["lambda:function"]
    steps = REMOVALS[item.kind](Removal(run.account, run.system, item))
    run.apply(Plan("Remove", run.system.name, tuple(steps)))
    assert hook.read_function(run.account, run.system).code is None
    assert all(not step.needed for step in REMOVALS[item.kind](Removal(run.account, run.system, item)))


def test_the_package_is_the_same_on_every_machine() -> None:
    """No time and no mode of this one is in it."""
    assert hook.pack() == hook.pack()
    (entry,) = zipfile.ZipFile(BytesIO(hook.pack())).infolist()
    assert (entry.filename, entry.date_time) == ("validate.py", (1980, 1, 1, 0, 0, 0))


def test_the_appspec_names_it_in_one_event_alone() -> None:
    """It moves with the parameter, and goes with it."""
    run = opened(hook="BeforeAllowTraffic")
    source = repository.read_repository(run.account, run.system, [release.APPSPEC])
    (text,) = release._appspec(run.system, source).values()
    assert appspec.parse(text.decode()).hooks == {"BeforeAllowTraffic": "CodeDeployHook_orders"}
    moved = replace(source, files={**source.files, release.APPSPEC: text})
    none = replace(run.system, params=opened().params)
    (back,) = release._appspec(none, moved).values()
    assert back == source.files[release.APPSPEC]
    assert release._appspec(none, source) == {}


@pytest.mark.parametrize(
    ("text", "hooks"),
    [
        (SPEC, {"BeforeAllowTraffic": "f"}),
        (f"# ours\n{SPEC}", {"BeforeAllowTraffic": "f"}),
        (appspec.with_hook(SPEC, "AfterInstall", "g"), {"AfterInstall": "g", "BeforeAllowTraffic": "f"}),
    ],
)
def test_a_hook_is_added_to_an_appspec(text: str, hooks: dict[str, str]) -> None:
    """What stands in the file stays; comments too."""
    found = appspec.with_hook(text, "BeforeAllowTraffic", "f")
    assert appspec.parse(found).hooks == hooks
    assert found.startswith(text.splitlines()[0])
    assert appspec.with_hook(found, "BeforeAllowTraffic", "f") == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (appspec.with_hook(SPEC, "BeforeAllowTraffic", "g"), "move one of them to another event"),
        ("# ours\n" + appspec.with_hook(SPEC, "AfterInstall", "g"), "write it into the file yourself"),
    ],
)
def test_what_somebody_else_wrote_is_not_overwritten(text: str, told: str) -> None:
    """Another function in the event, or hooks in a file of one's own form."""
    with pytest.raises(BadInput, match=told):
        appspec.with_hook(text, "BeforeAllowTraffic", "f")
