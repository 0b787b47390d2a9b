"""The calls that were made, for CloudTrail: the newest as they are, older ones packed many at a time.

A release makes some hundred calls, and they look much alike: packed they take a tenth of the memory. AWS's event
history goes back ninety days; here it is bounded by a number of calls as well.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from runbook_lib.sandbox.trail import Wire

KEPT_SECONDS = 90 * 86400.0
PACK = 500  # calls that are packed together
MOST_PACKS = 400  # 200,000 calls: 400 releases; packed, 50 to 100 bytes each


@dataclass(frozen=True)
class CallRecord:
    """One API call that was answered; error is the AWS error code, or "" when it went well."""

    time: float
    caller: str
    service: str
    operation: str
    error: str
    region: str = ""
    number: int = 0  # 1, 2, 3 ... in the order of the calls
    wire: Wire | None = None  # None for what AWS's default trail does not show


@dataclass(frozen=True)
class Pack:
    """Calls in the order in which they were made."""

    newest: float  # the time of the last of them
    content: bytes

    def calls(self) -> list[CallRecord]:
        """All of them."""
        found: list[CallRecord] = pickle.loads(zlib.decompress(self.content))
        return found


@dataclass
class Calls(Sequence[CallRecord]):
    """All calls that are remembered, the oldest first."""

    packs: list[Pack] = field(default_factory=list)
    recent: list[CallRecord] = field(default_factory=list)

    def add(self, call: CallRecord) -> None:
        """Remember a call; old ones are packed, too old ones forgotten, many at a time."""
        self.recent.append(call)
        if len(self.recent) >= 2 * PACK:
            older, self.recent = self.recent[:PACK], self.recent[PACK:]
            self.packs.append(Pack(older[-1].time, zlib.compress(pickle.dumps(older, 5))))
        if self.packs and (len(self.packs) > MOST_PACKS or call.time - self.packs[0].newest > KEPT_SECONDS):
            self.packs = [pack for pack in self.packs[-MOST_PACKS:] if call.time - pack.newest <= KEPT_SECONDS]

    def __len__(self) -> int:
        return PACK * len(self.packs) + len(self.recent)

    def __iter__(self) -> Iterator[CallRecord]:
        for pack in self.packs:
            yield from pack.calls()
        yield from self.recent

    def __reversed__(self) -> Iterator[CallRecord]:
        yield from reversed(self.recent)
        for pack in reversed(self.packs):
            yield from reversed(pack.calls())

    @overload
    def __getitem__(self, place: int) -> CallRecord: ...

    @overload
    def __getitem__(self, place: slice) -> list[CallRecord]: ...

    def __getitem__(self, place: int | slice) -> CallRecord | list[CallRecord]:
        return list(self)[place]
