"""Brings a fault into a sandbox's world, once: a second time, or after a kill, it goes on where it was."""

from __future__ import annotations

import hashlib

from runbook_lib import repository
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, Refused
from runbook_lib.journal import Journal
from runbook_lib.planning import change
from runbook_lib.step import Plan, Step, apply
from runbook_lib.story.faults.fault import Call, Fault, FileEdit
from runbook_lib.story.faults.vocabulary import Vocabulary, search
from runbook_lib.system import System

UNDO = "none: a fault stays until the sandbox is reset"


def strike(account: Account, system: System, fault: Fault, *, journal: Journal) -> Vocabulary:
    """Bring the fault into the world; what was done already, as a parameter of Systems Manager keeps it, is not again.

    Raises Refused on AWS, and BadInput where the fault does not fit the application's files.
    """
    if account.target != "sandbox":
        raise Refused(seen=account.target, wanted="a sandbox", next_step="leave sandbox.scenario out; nothing changed")
    words, parts = Vocabulary(account, system, fault), _parts(system, fault)
    done = _done(account, system, fault)
    for number, call in enumerate(parts, 1):
        if number > done:
            answer = _apply(account, system, words, call, journal)
            for name, path in call.keep.items():
                words.keep(name, search(path, answer))
            _mark(account, system, fault, number)
    if done < len(parts) and fault.minutes:
        account.clock.sleep(fault.minutes * 60)
    return words


def _parts(system: System, fault: Fault) -> tuple[Call, ...]:
    """The calls of a fault, one commit for all of its files included; a push to the branch starts no run."""
    commit = Call("codecommit:create_commit", {}, {}, {})
    rule = {"Name": system.rule}
    quiet = (Call("events:disable_rule", rule, {}, {}), commit, Call("events:enable_rule", rule, {}, {}))
    return (*fault.calls, *(quiet if fault.files else ()))


def _apply(account: Account, system: System, words: Vocabulary, call: Call, journal: Journal) -> object:
    if call.call == "codecommit:create_commit" and not call.arguments:
        step = _commit(account, system, words)
    else:
        step = _step(words, call)
    return apply(Plan(words.fault.tells, system.name, (step,)), account=account, journal=journal).answers[step.id]


def _step(words: Vocabulary, call: Call) -> Step:
    title, arguments = f"Fault: {words.fault.name}", words.arguments(call)
    return change(call.call, title, call.call, arguments, touches=call.call, needed=words.fault.tells, undo=UNDO)


def _commit(account: Account, system: System, words: Vocabulary) -> Step:
    fault = words.fault
    if system.from_git_host:
        raise BadInput(
            where=f"sandbox.scenario {fault.name}",
            seen="a source on a git host",
            wanted="a repository of CodeCommit: the fault is in a file, and nobody else's branch is written to",
            next_step="leave repository.provider out, or choose a fault that changes no file",
        )
    found = repository.read_repository(account, system, {edit.path for edit in fault.files})
    files: dict[str, bytes] = dict(found.files)
    for edit in fault.files:
        files[edit.path] = _edited(edit, files.get(edit.path), words)
    gone = [edit.path for edit in fault.files if edit.delete and edit.path in found.files]
    step = repository.plan_commit(
        system,
        found,
        {path: content for path, content in files.items() if path not in gone},
        step="codecommit:create_commit",
        message=fault.tells,
        why=fault.tells,
    )
    if not gone:
        return step
    arguments = {**step.arguments, "deleteFiles": [{"filePath": path} for path in gone]}
    return change(
        step.id, step.title, "codecommit:create_commit", arguments, touches=step.touches, needed=fault.tells, undo=UNDO
    )


def _edited(edit: FileEdit, content: bytes | None, words: Vocabulary) -> bytes:
    by, whole = (words.filled(text) if edit.fill and text else text for text in (edit.by, edit.text))
    if whole is not None:
        return str(whole).encode()
    if edit.size is not None:
        return _noise(edit.size)
    if edit.delete:
        return b""
    text, replaced = (content or b"").decode(), edit.replace or ""
    if replaced not in text:
        raise BadInput(
            where=f"sandbox.scenario {words.fault.name}",
            seen=f"{edit.path} without {replaced!r}" if content is not None else f"no file {edit.path}",
            wanted="an application whose files have the place that the fault changes",
            next_step="choose another fault, or play it with the sample application",
        )
    return text.replace(replaced, str(by)).encode()


def _noise(size: int) -> bytes:
    """Bytes that no packing makes smaller, the same ones each time."""
    return hashlib.shake_256(b"fault").digest(size)


def _place(system: System) -> str:
    return f"/runbook/{system.name}/scenario"


def _done(account: Account, system: System, fault: Fault) -> int:
    client = account.client("ssm")
    try:
        kept = client.get_parameter(Name=_place(system))["Parameter"]["Value"]
    except client.exceptions.ParameterNotFound:
        return 0
    name, _, number = kept.partition(" ")
    if name != fault.name:
        raise BadInput(
            where=f"sandbox.scenario {fault.name}",
            seen=f"a world with the fault {name}",
            wanted="one fault in a world",
            next_step=f"choose {name}, or reset the sandbox (`runbook sandbox reset`)",
        )
    return int(number)


def _mark(account: Account, system: System, fault: Fault, number: int) -> None:
    client = account.client("ssm")
    client.put_parameter(Name=_place(system), Value=f"{fault.name} {number}", Type="String", Overwrite=True)
