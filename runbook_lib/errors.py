"""What can go wrong, one class per decision that the reader can take; each carries its exit code."""

from __future__ import annotations


class RunbookError(Exception):
    """The runbook itself broke (exit code 1), or one of the reasons below."""

    exit_code = 1

    def __init__(self, *, seen: str, wanted: str, next_step: str, where: str | None = None) -> None:
        self.seen, self.wanted, self.next_step, self.where = seen, wanted, next_step, where
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}seen: {self.seen}; wanted: {self.wanted}; next: {self.next_step}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments cannot be pickled otherwise, and test runners pickle them.
        return _rebuild, (type(self), self.seen, self.wanted, self.next_step, self.where)


def _rebuild(kind: type[RunbookError], seen: str, wanted: str, next_step: str, where: str | None) -> RunbookError:
    return kind(seen=seen, wanted=wanted, next_step=next_step, where=where)


class BadInput(RunbookError):
    """A parameter, a file or the command line is wrong; nothing was changed."""

    exit_code = 2


class CheckFailed(RunbookError):
    """A check said no; what follows it was not done."""

    exit_code = 3


class GateClosed(RunbookError):
    """A gate said no or nobody opened it; what lies behind it was not done."""

    exit_code = 3


class RolledBack(RunbookError):
    """The release was rolled back: the live revision is the former one."""

    exit_code = 4


class ReleaseFailed(RunbookError):
    """The release failed and was not rolled back: look now."""

    exit_code = 5


class Refused(RunbookError):
    """The account, the lease or the change window forbids it; nothing was changed."""

    exit_code = 6


class OutOfTime(RunbookError):
    """What was waited for did not happen in its time, or can no longer happen."""

    exit_code = 7
