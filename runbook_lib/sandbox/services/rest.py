"""What a service leaves to moto when it has only a few operations of its own."""

from __future__ import annotations


class Rest:
    """Every operation but some: moto answers them, or says that it has no such operation."""

    def __init__(self, *but: str) -> None:
        self.but = frozenset(but)

    def __contains__(self, operation: str) -> bool:
        return operation not in self.but
