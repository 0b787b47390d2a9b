"""Plans as data, and the one place that applies them: only `apply` calls an API that changes something."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from runbook_lib import inventory, ownership
from runbook_lib.account import Account
from runbook_lib.errors import OutOfTime, RunbookError
from runbook_lib.inventory import Item
from runbook_lib.journal import Journal
from runbook_lib.wait import wait_until


@dataclass(frozen=True)
class Ref:
    """A value that an earlier step's answer holds, by a JMESPath into it."""

    step: str
    path: str


@dataclass(frozen=True)
class Made:
    """What a step makes: kind and name for the inventory, and where the answer holds its id (None: the name is it)."""

    kind: str
    name: str
    path: str | None = None


@dataclass(frozen=True)
class Until:
    """What is waited for after a step: `missing` says what is still awaited, None when nothing is."""

    what: str
    missing: Callable[[Account, Mapping[str, Any]], str | None]
    limit: timedelta = timedelta(minutes=10)
    every: float = 10.0


@dataclass(frozen=True)
class Step:
    """One call that changes something, or the reason why it is not needed.

    `present` is what the world already answers when there is nothing to do; steps behind refer to it as to an answer.
    `reason` says why the step is needed, or why there is nothing to do.
    """

    id: str
    title: str
    service: str
    action: str
    arguments: Mapping[str, Any]
    touches: str
    reason: str
    undo: str
    made: Made | None = None
    gone: Item | None = None  # the inventory's item that this step removes
    present: Mapping[str, Any] | None = None
    until: Until | None = None
    accept: tuple[str, ...] = ()  # error codes that mean "it is so already"
    # error code -> what it means here: the answer when it is so already, or its own reason, raised
    settle: Mapping[str, Callable[[Account], Mapping[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def needed(self) -> bool:
        """Whether there is something to do."""
        return self.present is None

    @property
    def call(self) -> str:
        """The API call in AWS's words: "elasticloadbalancing" is boto3's elbv2."""
        return f"{self.service}:{''.join(part.capitalize() for part in self.action.split('_'))}"


@dataclass(frozen=True)
class Plan:
    """Steps in their order; showing it is the dry run."""

    title: str
    world: str  # the name under which the inventory keeps what is made
    steps: tuple[Step, ...]
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)  # answers of earlier plans' steps
    monthly_usd: float | None = None  # None: the plan does not change the bill
    notes: tuple[str, ...] = ()
    fault: bool = False  # what somebody else does, played in a sandbox: no owner is asked there

    @property
    def needed(self) -> tuple[Step, ...]:
        """The steps that would do something."""
        return tuple(step for step in self.steps if step.needed)


@dataclass(frozen=True)
class Applied:
    """What came of a plan: the answer of every step, done now or found done."""

    plan: Plan
    answers: Mapping[str, Mapping[str, Any]] = field(repr=False)
    done: tuple[str, ...] = ()


# AWS accepts a new role only after some seconds, and the first use of a service creates its service-linked role.
# The wordings are AWS's, service by service; what does not match is not retried.
NOT_YET = (
    re.compile(
        r"cannot be assumed|unable to assume|not authorized to perform: sts:AssumeRole|assume\s?role", re.IGNORECASE
    ),
    re.compile(r"service[- ]linked role", re.IGNORECASE),
    re.compile(r"does not have an associated load balancer", re.IGNORECASE),
    re.compile(r"role does not have permissions to call \w+ on EC2", re.IGNORECASE),
)
NOT_YET_LIMIT = timedelta(seconds=120)
# What hangs on a resource that is being deleted lingers: network interfaces up to twenty minutes.
IN_USE = ("DependencyViolation", "ResourceInUse", "ResourceInUseException", "ClusterContainsTasksException")
IN_USE_LIMIT = timedelta(minutes=20)
# Two conditional writes that met: S3 wants the write again (S3 API reference, PutObject).
MET = ("ConditionalRequestConflict",)


def apply(plan: Plan, *, account: Account, journal: Journal) -> Applied:
    """Do what the plan says, in order, and write down every call; steps with nothing to do are only noted.

    Safe to call again after a kill at any point: make the plan anew, for it finds what is there.
    Raises Refused, with nothing changed, when a step would change what a stack owns without consent.
    """
    if not (plan.fault and account.target == "sandbox"):
        ownership.refuse(plan, account)
    answers: dict[str, Mapping[str, Any]] = dict(plan.given)
    done: list[str] = []
    for step in plan.steps:
        if step.present is not None:
            answers[step.id] = step.present
            _forget(step, plan.world, account)
            journal.write("step", id=step.id, call=step.call, touches=step.touches, done=False, reason=step.reason)
        else:
            answers[step.id] = _do(resolved(step, answers), plan.world, account, journal)
            done.append(step.id)
        _await(step, answers[step.id], account, journal)
    return Applied(plan, answers, tuple(done))


def resolved(step: Step, answers: Mapping[str, Mapping[str, Any]]) -> Step:
    """The step with every reference to an earlier answer replaced by its value."""
    return replace(step, arguments=_resolve(step.arguments, answers))


def _do(step: Step, world: str, account: Account, journal: Journal) -> Mapping[str, Any]:
    at = account.clock.now().isoformat()
    if step.made:
        inventory.write(account, world, Item(step.made.kind, step.made.name, None, step.id, at))
    journal.write("intent", id=step.id, call=step.call, touches=step.touches, arguments=step.arguments)
    answer = _call(step, account)
    if step.made:
        inventory.write(account, world, Item(step.made.kind, step.made.name, _identity(step.made, answer), step.id, at))
    _forget(step, world, account)
    journal.write("step", id=step.id, call=step.call, touches=step.touches, done=True, reason=step.reason)
    return answer


def _forget(step: Step, world: str, account: Account) -> None:
    if step.gone:
        inventory.forget(account, world, [step.gone])


def _call(step: Step, account: Account) -> Mapping[str, Any]:
    from botocore.exceptions import ClientError

    started = account.clock.now()
    while True:
        try:
            return getattr(account.client(step.service), step.action)(**step.arguments)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in step.accept:
                return {}
            if code in step.settle:
                return step.settle[code](account)
            limit = _patience(code, message)
            if limit is None or account.clock.now() - started >= limit:
                raise _failed(step, code, message) from error
        account.clock.sleep(5)


def _patience(code: str, message: str) -> timedelta | None:
    if code in IN_USE:
        return IN_USE_LIMIT
    return NOT_YET_LIMIT if code in MET or any(pattern.search(message) for pattern in NOT_YET) else None


def _await(step: Step, answer: Mapping[str, Any], account: Account, journal: Journal) -> None:
    if step.until is None:
        return
    until, asked = step.until, account.clock.now()
    wait_until(
        account.clock,
        lambda: until.missing(account, answer),
        lambda missing: missing is None,
        what=until.what,
        limit=until.limit,
        every=until.every,
    )
    journal.write("wait", what=until.what, seconds=(account.clock.now() - asked).total_seconds())


def _identity(made: Made, answer: Mapping[str, Any]) -> str:
    return made.name if made.path is None else str(_search(made.path, answer, made.name))


def _resolve(value: Any, answers: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, Ref):
        if value.step not in answers:
            raise _broken(f"a reference to the step {value.step}", "a step that stands before it in the plan")
        return _search(value.path, answers[value.step], value.step)
    if isinstance(value, Mapping):
        return {key: _resolve(inner, answers) for key, inner in value.items()}
    return [_resolve(inner, answers) for inner in value] if isinstance(value, list | tuple) else value


def _search(path: str, answer: Mapping[str, Any], name: str) -> Any:
    import jmespath

    found = jmespath.search(path, answer)
    if found is None:
        raise _broken(f"the answer of {name} without {path}", f"an answer that holds {path}")
    return found


def _broken(seen: str, wanted: str) -> RunbookError:
    return RunbookError(seen=seen, wanted=wanted, next_step="report it: the plan itself is wrong")


def _failed(step: Step, code: str, message: str) -> RunbookError:
    kind = OutOfTime if _patience(code, message) else RunbookError
    return kind(
        where=f"{step.title} ({step.call})",
        seen=f"{code}: {message}",
        wanted=f"{step.touches} changed as planned",
        next_step="mend the cause and run this cell again: the plan finds what is already done",
    )
