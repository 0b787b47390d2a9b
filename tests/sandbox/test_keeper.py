"""A save and its journal, and what may come between them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox import Sandbox, journal, keeper
from runbook_lib.sandbox.following import follow
from runbook_lib.sandbox.inputs import Input
from runbook_lib.sandbox.keeper import Keeper


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "world.state"


@pytest.fixture
def kept(fresh: Sandbox, state: Path) -> Keeper:
    """A world that was saved and has waited for a minute since."""
    own = Keeper(state)
    assert own.take_up() is None
    own.save(fresh.world)
    _wait(own, fresh)
    return own


def _wait(own: Keeper, sandbox: Sandbox) -> None:
    own.note(Input(sandbox.world.now, "wait", {"until": sandbox.world.now + 60, "broke": ""}))
    own.sync()
    sandbox.clock.sleep(60)


def _inputs(state: Path) -> list[str]:
    found = Keeper(state).take_up()
    assert found is not None
    return [each.kind for _, each in found.inputs]


def test_what_came_after_the_save_is_found(kept: Keeper, state: Path) -> None:
    """Once it is saved, nothing is left of it."""
    assert _inputs(state) == ["wait"]
    found = Keeper(state).take_up()
    assert found is not None
    follow(found.world, found.inputs, refuse=kept.refusal)
    assert found.world.now == found.world.settings.start + 60
    kept.save(found.world)
    assert _inputs(state) == []


def test_a_kill_between_the_save_and_its_journal_does_nothing_twice(kept: Keeper, fresh: Sandbox, state: Path) -> None:
    """The former journal lies behind the new save, which holds it already."""
    former = shutil.copy(kept.path, kept.path.with_suffix(".former"))
    kept.save(fresh.world)
    shutil.copy(former, kept.path)
    assert _inputs(state) == []
    assert journal.read(kept.path).entries == ()


def test_a_kill_in_the_middle_of_a_save_leaves_the_former_pair(
    kept: Keeper, fresh: Sandbox, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the half save is looked at, and the next save replaces it."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.save(fresh.world)
    assert _inputs(state) == ["wait"]


def test_a_journal_of_another_save_is_refused(kept: Keeper, fresh: Sandbox, state: Path) -> None:
    """An older state file put in the place of the newer one, for instance."""
    older = shutil.copy(state, state.with_suffix(".older"))
    for _ in range(2):
        _wait(kept, fresh)
        kept.save(fresh.world)
    shutil.copy(older, state)
    with pytest.raises(BadInput, match=r"world.state.journal: seen: it continues save \w{12}; wanted: a journal of"):
        Keeper(state).take_up()


def test_a_journal_without_its_save_is_refused(kept: Keeper, state: Path) -> None:
    """It is nothing to begin anew with."""
    state.unlink()
    with pytest.raises(BadInput, match="it continues no such save"):
        Keeper(state).take_up()


def test_a_full_disk_ends_the_server_with_what_to_do(
    kept: Keeper, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that the change was kept, and what was kept before is there."""

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunbookError, match=r"No space left on device.*everything that was acknowledged is there"):
        kept.note(Input(0.0, "time", {}))
    assert _inputs(state) == ["wait"]


def test_another_answer_than_before_is_refused_with_its_place(kept: Keeper, fresh: Sandbox, state: Path) -> None:
    """The world would not be the one that somebody was told of."""
    content = {"method": "POST", "target": "/", "headers": {}, "answer": [200, 1, 2]}
    kept.note(Input(fresh.world.now, "call", content))
    found = Keeper(state).take_up()
    assert found is not None
    with pytest.raises(BadInput, match=r"offset \d+: seen: POST / is answered with \[403, .* instead of \[200, 1, 2\]"):
        follow(found.world, found.inputs, refuse=kept.refusal)


def test_what_broke_in_a_wait_breaks_again_and_no_more(kept: Keeper, fresh: Sandbox, state: Path) -> None:
    """A fault of the sandbox is no reason not to have the world again; another fault is."""
    fresh.world.after(1, "participants.no-such-handler")
    kept.save(fresh.world)
    kept.note(Input(fresh.world.now, "wait", {"until": fresh.world.now + 5, "broke": "SandboxError"}))
    found = Keeper(state).take_up()
    assert found is not None
    follow(found.world, found.inputs, refuse=kept.refusal)
    assert found.world.now == fresh.world.now + 1


def test_a_world_is_due_for_a_save_when_much_came(kept: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it would take to do it again, or by the size of the journal."""
    assert not kept.due
    monkeypatch.setattr(keeper, "WORK", 0.0)
    with kept.working():
        pass
    assert kept.due
    kept.put_off("no space left")
    assert not kept.due
