"""Composite alarms: a rule over the states of other alarms.

Source: CloudWatch API reference, PutCompositeAlarm, AlarmRule: ALARM, OK and INSUFFICIENT_DATA of an alarm's name or
ARN, TRUE, FALSE, NOT, AND, OR and parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from runbook_lib.sandbox.errors import AwsError

TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^()"\s]+))\s*\)
    |(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))""",
    re.VERBOSE,
)
LONGEST = 10_240
StateOf = Callable[[str], str | None]  # name -> state, None when there is no such alarm
Token = tuple[str, str]


def short(name: str) -> str:
    """The name of an alarm that is given by its name or ARN."""
    return name.rpartition(":alarm:")[2] or name


def watched(rule: str) -> list[str]:
    """The names of the alarms in a rule, each once."""
    return list(dict.fromkeys(name for state, name in _tokens(rule) if state not in ("word", "sign")))


def holds(rule: str, state_of: StateOf) -> bool:
    """Whether a rule is true; raises AwsError when it cannot be read."""
    reader = _Reader(rule, list(_tokens(rule)), state_of)
    found = reader.either()
    if reader.left:
        raise refused(rule)
    return found


def refused(rule: str) -> AwsError:
    """A rule that cannot be read."""
    return AwsError("ValidationError", f"AlarmRule must not be empty and must be a valid rule: {rule!r}")


def _tokens(rule: str) -> Iterator[Token]:
    at, end = 0, len(rule.rstrip())
    if not 0 < end <= LONGEST:
        raise refused(rule)
    while at < end:
        found = TOKEN.match(rule, at)
        if found is None:
            raise refused(rule)
        if found["state"]:
            yield found["state"], short(found["quoted"] or found["plain"])
        else:
            yield str(found.lastgroup), found["word"] or found["sign"]
        at = found.end()


class _Reader:
    """Reads a rule and says at once what it comes to."""

    def __init__(self, rule: str, tokens: list[Token], state_of: StateOf) -> None:
        self.rule, self.left, self.state_of = rule, tokens, state_of

    def either(self) -> bool:
        found = self.both()
        while self._skip("OR"):
            found = self.both() or found
        return found

    def both(self) -> bool:
        found = self.one()
        while self._skip("AND"):
            found = self.one() and found
        return found

    def one(self) -> bool:
        if self._skip("NOT"):
            return not self.one()
        if self._skip("("):
            found = self.either()
            if not self._skip(")"):
                raise refused(self.rule)
            return found
        return self._said(*self._next())

    def _said(self, kind: str, text: str) -> bool:
        if kind == "word" and text in ("TRUE", "FALSE"):
            return text == "TRUE"
        if kind in ("word", "sign"):
            raise refused(self.rule)
        return self.state_of(text) == kind

    def _next(self) -> Token:
        if not self.left:
            raise refused(self.rule)
        return self.left.pop(0)

    def _skip(self, text: str) -> bool:
        if not self.left or self.left[0] not in (("word", text), ("sign", text)):
            return False
        self.left.pop(0)
        return True
