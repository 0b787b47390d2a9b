"""Filter patterns of CloudWatch Logs: terms, JSON selectors and space-delimited fields.

Source: CloudWatch Logs user guide, FilterAndPatternSyntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.logs import pattern_fields, pattern_json

TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)*)%|([^\s"]+))')
Find = Callable[[str], "Mapping[str, str] | None"]


@dataclass(frozen=True)
class Terms:
    """Words that must all be there, of which one must be there, and that must not; each is a regular expression."""

    every: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    def find(self, message: str) -> Mapping[str, str] | None:
        """Nothing to extract from a message that fits; None from one that does not."""
        fits = (
            all(re.search(term, message) for term in self.every)
            and (not self.any or any(re.search(term, message) for term in self.any))
            and not any(re.search(term, message) for term in self.none)
        )
        return {} if fits else None


@cache
def compiled(text: str) -> Find:
    """What finds the events of a pattern: it gives the values that a message holds, or None.

    Raises AwsError (InvalidParameterException): a pattern that CloudWatch Logs would not take.
    """
    stripped = text.strip()
    try:
        if stripped.startswith("{"):
            return pattern_json.compiled(stripped)
        if stripped.startswith("["):
            return pattern_fields.compiled(stripped)
        return _terms(stripped).find
    except (ValueError, re.error) as wrong:
        raise AwsError("InvalidParameterException", f"Invalid filter pattern: {wrong}") from None


def _terms(text: str) -> Terms:
    found: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, term in _words(text):
        found[sign].append(term)
    # Beside a term that must be there, those of which one is enough are not looked at.
    optional = () if found[""] else tuple(found["?"])
    return Terms(tuple(found[""]), optional, tuple(found["-"]))


def _words(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = TERM.match(text, position)
        if found is None:
            raise ValueError(f"{text[position:]!r} is no term")
        sign, quoted, expression, word = found.groups()
        plain = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else word
        yield sign, re.compile(expression).pattern if expression is not None else re.escape(plain)
        position = found.end()
