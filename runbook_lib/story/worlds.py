"""The states of the world that a notebook can start from, each made by the plans of the notebooks before it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from runbook_lib import deployment, deployment_group, pipeline, service
from runbook_lib.account import Account, Memory
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.inventory import read_inventory
from runbook_lib.journal import Journal
from runbook_lib.story import chapters, incidents
from runbook_lib.suggest import did_you_mean
from runbook_lib.system import System


def bring(account: Account, system: System, world: str, *, journal: Journal) -> None:
    """See that the world has reached a state: a sandbox is brought there, AWS is only asked.

    A world that is further on already is left alone: a state means "at least this".  What is done on the way there
    goes into the journal.  A fault that the parameters name strikes as soon as the world is blue/green.
    """
    _check_name(world)
    if world == MADE:
        _make_alone(account, system, journal)
        return
    if system.params.sandbox.scenario is None:
        _reach(account, system, world, journal)
        return
    from runbook_lib.story import faults

    fault = faults.load(system.params.sandbox.scenario)  # before anything is done: its file may be wrong
    _reach(account, system, world, journal)
    if world in incidents.INCIDENTS or list(STATES).index(world) >= list(STATES).index(FAULTY):
        faults.strike(account, system, fault, journal=journal)


def _reach(account: Account, system: System, world: str, journal: Journal) -> None:
    told = world in incidents.INCIDENTS
    if told and incidents.reached(account, world):
        return
    base = incidents.BASE if told else world
    states = [*list(STATES)[: list(STATES).index(base) + 1], *([world] if told else [])]
    memory = account.memory(_inputs(system)) if account.memory and not account.adopted else None
    known = _recalled(memory, states, journal)
    for name in states[states.index(known) + 1 if known else 0 :]:
        reached, chapter = STATES.get(name) or _incident(name)
        if not reached(account, system):
            if account.target == "aws" or account.adopted:
                raise _not_there(name, chapter.__doc__ or "")
            chapter(account, system, journal)
            if memory:
                memory.keep(name, notes=journal.as_json())


def _check_name(world: str) -> None:
    known = (*STATES, *incidents.INCIDENTS, MADE)
    if world not in known:
        remedy = did_you_mean(world, known, otherwise="correct it")
        raise BadInput(where="world", seen=world, wanted=", ".join(known), next_step=remedy)


def _incident(name: str) -> tuple[Callable[[Account, System], bool], Chapter]:
    """An incident as a state; it is told once, however far its world is."""

    def reached(account: Account, system: System) -> bool:
        del system
        return incidents.reached(account, name)

    def chapter(account: Account, system: System, journal: Journal) -> None:
        incidents.tell(account, system, name, journal=journal)

    return reached, chapter


def _recalled(memory: Memory | None, states: Sequence[str], journal: Journal) -> str | None:
    """The last state that the world of this run was in before; what was done on the way there is in the journal."""
    found = memory.recall(states) if memory else None
    if found is None:
        return None
    state, notes = found
    journal.resume(notes)
    return state


def _inputs(system: System) -> str:
    """Everything from outside that the states follow from: the parameters and the application's files."""
    folder = system.application.directory
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    content = hashlib.sha256()
    for path in files:
        content.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_mode:o} ".encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    # A fault strikes afterwards: worlds without it and with it have the same past.
    chosen = system.params.model_copy(update={"sandbox": system.params.sandbox.model_copy(update={"scenario": None})})
    return f"{chosen.model_dump_json()} {content.hexdigest()}"


def _make_alone(account: Account, system: System, journal: Journal) -> None:
    """Something to tear down for a notebook that runs alone; what others share is taken as it is, also half gone."""
    memory = account.memory(_inputs(system)) if account.memory else None
    if account.adopted or _recalled(memory, ("rolling",), journal) or account.shared:
        return
    if read_inventory(account, system.name):
        return
    chapters.provision(account, system, journal)


def _anywhere(account: Account, system: System) -> bool:
    del account, system
    return True


def _rolling(account: Account, system: System) -> bool:
    found = pipeline.read_pipeline(account, system)
    has_service = service.read_service(account, system, system.rolling_service) is not None
    return found is not None and found.deploy_provider is not None and has_service


def _moved(account: Account, system: System) -> bool:
    return deployment_group.read_group(account, system) is not None


def _bluegreen(account: Account, system: System) -> bool:
    found = pipeline.read_pipeline(account, system)
    return found is not None and found.deploy_provider == "CodeDeployToECS"


def _released(account: Account, system: System) -> bool:
    # The first deployment through the new pipeline is the test release of 22; a further one is a release.
    done = [found for found in deployment.read_deployments(account, system) if found.creator != "codeDeployRollback"]
    return len(done) > 1


def _hurt(account: Account, system: System) -> bool:
    # On a real account any window can be looked at; the sandbox needs something to look at.
    bad = any(found.status in ("Stopped", "Failed") for found in deployment.read_deployments(account, system))
    return bad or account.target == "aws"


def _not_there(state: str, chapter: str) -> CheckFailed:
    return CheckFailed(
        where="begin",
        seen=f"the world has not reached the state {state}",
        wanted=f"a world that is at least {state}",
        next_step=f"run the notebook that brings it there: {chapter}",
    )


FAULTY = "bluegreen"  # the first state in which a fault is: what it changes is there then
MADE = "made"  # whatever the inventory holds
Chapter = Callable[[Account, System, Journal], None]
STATES: dict[str, tuple[Callable[[Account, System], bool], Chapter]] = {
    "empty": (_anywhere, chapters.nothing),
    "rolling": (_rolling, chapters.provision),
    "moved": (_moved, chapters.move),
    "drafted": (chapters.has_draft, chapters.draft),
    "files": (chapters.has_files, chapters.files),
    "bluegreen": (_bluegreen, chapters.pipeline_edit),
    "released": (_released, chapters.release),
    "incident": (_hurt, chapters.incident),
}
