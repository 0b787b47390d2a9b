"""Counted identifiers: each kind has its own counter, so that one resource more of a kind moves no other's ids."""

from __future__ import annotations

import hashlib
import string
import uuid
from dataclasses import dataclass, field

DEPLOYMENT_LETTERS = string.ascii_uppercase + string.digits


@dataclass
class Ids:
    """The ids of a world; the same seed and the same order of calls within a kind give the same ids."""

    seed: int
    counters: dict[str, int] = field(default_factory=dict)

    def number(self, kind: str) -> int:
        """1, 2, 3 ... for each kind."""
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def uuid(self, kind: str) -> str:
        """A UUID of version 4's form."""
        return str(uuid.UUID(bytes=self._digest("uuid", kind)[:16], version=4))

    def hex(self, kind: str, n: int) -> str:
        """n lower-case hexadecimal digits."""
        return self._digest("hex", kind, n).hex()[:n]

    def digits(self, kind: str, n: int) -> str:
        """n decimal digits, the first of them not 0."""
        letters = self.letters(kind, n, string.digits)
        return ("1" if letters[0] == "0" else letters[0]) + letters[1:]

    def letters(self, kind: str, n: int, alphabet: str) -> str:
        """n characters of an alphabet."""
        return "".join(alphabet[byte % len(alphabet)] for byte in self._digest("letters", kind, 2 * n)[:n])

    def deployment(self) -> str:
        """The id of a CodeDeploy deployment: d- and nine capitals or digits."""
        return "d-" + self.letters("deployment", 9, DEPLOYMENT_LETTERS)

    def _digest(self, form: str, kind: str, length: int = 32) -> bytes:
        text = f"{self.seed}/{kind}/{self.number(f'{form}:{kind}')}"
        return hashlib.shake_256(text.encode()).digest(max(32, length))
