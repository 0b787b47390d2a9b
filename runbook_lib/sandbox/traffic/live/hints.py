"""What a person at the sandbox should know and AWS would never say: lines in the sandbox's own log."""

from __future__ import annotations

import sys


class Hints:
    """Says each hint once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """A line on stderr, unless it was said before."""
        if text not in self._said:
            self._said.add(text)
            sys.stderr.write(f"sandbox: {text}\n")
            sys.stderr.flush()
