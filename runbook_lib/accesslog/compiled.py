"""Counting a file in one pass over its bytes, compiled by numba, for logs of a size where that pays.

What a good line is, statements.py alone says.  This pass counts only lines of which it is sure, in the form in which
Elastic Load Balancing writes them; every other one, good or bad, it puts aside as it is, and SQL decides.  So it may be
too careful, but must never count a line that SQL rejects, or count it otherwise.

numba and zlib-ng are the optional extra `fast`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numba import njit
from zlib_ng import gzip_ng, zlib_ng

from runbook_lib.accesslog.salvage import LONGEST
from runbook_lib.accesslog.statements import BETWEEN, HEAD, QUOTED

CHUNK = 1 << 20  # bytes that are read at once
ASIDE = 1 << 12  # lines that are put aside at once
SLOTS = 1 << 14  # of the table at first
ROUTES, ROUTE = 512, 512  # cipher, protocol and target group: how many of them, and how long, are told apart
NEWLINE, SPACE, QUOTE, DASH, DOT, ZERO, COLON, LETTER_T, LAST_ASCII = 10, 32, 34, 45, 46, 48, 58, 84, 126
ARN = np.frombuffer(b"arn:", np.uint8)
DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15])  # places of 2026-03-02T09:05
DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])  # a leap day is for SQL
ALONE = np.array([piece in BETWEEN for piece in range(QUOTED + 1)])  # whether a piece must be a single space
FREE = -1
# Eight bytes as a number, the first of them in its lowest bits.
NONE, ONE, EIGHT = np.uint64(0), np.uint64(1), np.uint64(8)
ALL, ONES, SEVENS = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0x0101010101010101), np.uint64(0x7F7F7F7F7F7F7F7F)
QUOTES, PRINTABLE = ONES * np.uint64(QUOTE), ONES * np.uint64(0xE0)
MIXER = np.int64(-7046029254386353131)  # 2**64 over the golden ratio (Knuth, The Art of Computer Programming 6.4)

DAMAGED: Any = (gzip_ng.BadGzipFile, EOFError, zlib_ng.error)


def compiled(function: Any) -> Any:
    """Compiled at its first call, and kept for other processes where there is a folder that can be written."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no such folder
        return njit(nogil=True)(function)


@dataclass
class Tally:
    """Requests by route, minute, status codes and milliseconds; `keys` and `counts` are an open hash table."""

    keys: Any = field(default_factory=lambda: np.zeros((SLOTS, 2), np.int64))
    counts: Any = field(default_factory=lambda: np.zeros(SLOTS, np.int64))
    routes: Any = field(default_factory=lambda: np.zeros((ROUTES, ROUTE), np.uint8))
    lengths: Any = field(default_factory=lambda: np.zeros(ROUTES, np.int64))

    def add(self, room: bytearray, size: int, odd: IO[bytes]) -> None:
        """Count the whole lines in the first bytes of a room, and write those that are not sure."""
        data, words = np.frombuffer(room, np.uint8), np.frombuffer(room, np.uint64)
        at, aside = 0, np.empty((ASIDE, 2), np.int64)
        while at < size:
            at, many = _scan(data, words, at, size, self.keys, self.counts, self.routes, self.lengths, aside)
            for start, end in aside[:many].tolist():
                odd.write(data[start:end].tobytes())
            if 2 * np.count_nonzero(self.counts) >= self.counts.size:
                self._grow()

    def _grow(self) -> None:
        old, counts = self.keys, self.counts
        self.keys = np.zeros((2 * len(old), 2), np.int64)
        self.counts = np.zeros(2 * len(old), np.int64)
        _move(old, counts, self.keys, self.counts)

    @property
    def requests(self) -> int:
        return int(self.counts.sum())

    def rows(self) -> dict[str, Any]:
        """Columns of the question HISTOGRAM, in no order."""
        used = self.counts > 0
        (first, second), n = self.keys[used].T, self.counts[used]
        groups = np.array([self._group(route) for route in range(ROUTES) if self.lengths[route]] or [""], object)
        minutes, which = np.unique(first // ROUTES, return_inverse=True)
        written = [re.sub(r"(....)(..)(..)(..)(..)", r"\1-\2-\3T\4:\5", f"{minute:012d}") for minute in minutes]
        codes, ms = second >> 30, (second & ((1 << 30) - 1)) - 1
        return {
            "minute": np.array(written, object)[which],
            "grp": groups[first % ROUTES],
            "status": (codes // 1000).astype(np.int32),
            "answered": (codes % 1000).astype(np.int32),
            "ms": ms.astype(np.int32),
            "n": n,
        }

    def _group(self, route: int) -> str:
        return str(self.routes[route, : self.lengths[route]].tobytes().decode("ascii").split(" ")[3])


def tally(path: Path, odd: Path, *, packed: bool) -> Tally:
    """Count the lines of a file that are sure, and write the others into `odd`.

    Raises one of DAMAGED where a packed file is half-written or its sums are wrong.
    """
    found = Tally()
    with _opened(path, packed=packed) as file, odd.open("wb") as out:
        for room, size in _whole_lines(file):
            found.add(room, size, out)
    return found


def _opened(path: Path, *, packed: bool) -> AbstractContextManager[Any]:
    return gzip_ng.open(path, "rb") if packed else path.open("rb", buffering=0)


def _whole_lines(file: Any) -> Iterator[tuple[bytearray, int]]:
    """The content in a room that holds so many bytes of whole lines, and is used again for the next."""
    room, kept = bytearray(CHUNK), 0
    while read := file.readinto(memoryview(room)[kept:-1]):
        end = room.rfind(b"\n", 0, kept + read) + 1
        if end:
            yield room, end
        kept += read - end
        if end:
            room[:kept] = room[end : end + kept]
        elif kept == len(room) - 1:  # a line longer than that
            room = room + bytearray(CHUNK)
    if kept:  # the last line may lack its end
        room[kept] = NEWLINE
        yield room, kept + 1


@compiled
def _scan(data, words, at, size, keys, counts, routes, lengths, aside):
    """Count lines until the end, or the table is half full, or ASIDE are put aside: up to where, and how many."""
    spaces, many, route = np.empty(HEAD - 1, np.int64), 0, 0
    left = keys.shape[0] // 2 - np.sum(counts > 0)
    while at < size and left > 0 and many < ASIDE:
        end, sure, begin, behind = _taken_apart(data, words, at, spaces)
        if sure:
            minute, codes, took = _head(data, spaces)
            sure = minute != FREE and codes != FREE and took != FREE
        if sure:
            found = _route(data, begin, behind, routes, lengths, route)
            sure = found != FREE
        if sure:
            route = found
            left -= _count(keys, counts, minute * ROUTES + route, codes << 30 | took, 1)
        elif end > at:  # blank lines are no lines
            aside[many, 0], aside[many, 1] = at, end + 1
            many += 1
        at = end + 1
    return at, many


@compiled
def _taken_apart(data, words, at, spaces):
    """Where a line ends, whether its pieces are as they must be, and from where to where its fifth goes.

    The spaces of the first piece are told in `spaces`; behind it eight bytes are looked at at once.
    """
    first, seen = at, 0
    while SPACE <= data[first] <= LAST_ASCII and data[first] != QUOTE:
        if data[first] == SPACE:
            if seen < HEAD - 1:
                spaces[seen] = first
            seen += 1
        first += 1
    sure, pieces, piece, begin, behind = data[first] == QUOTE, 1, at, first, first
    word = first >> 3
    marks = _marks(words[word]) & ALL << EIGHT * np.uint64(first & 7)
    while True:
        while marks == NONE:
            word += 1
            marks = _marks(words[word])
        i = word * 8 + _lowest(marks)
        marks &= marks - ONE
        if data[i] == NEWLINE:
            break
        if data[i] != QUOTE:  # a control character: it is for SQL to say
            sure = False
            continue
        if pieces == 5:
            begin, behind = piece, i
        elif pieces <= QUOTED and ALONE[pieces]:
            sure &= i - piece == 1 and data[piece] == SPACE
        pieces, piece = pieces + 1, i + 1
    sure &= pieces >= QUOTED and pieces % 2 == 1 and seen == HEAD - 1 and i - at < LONGEST
    return i, sure, begin, behind


@compiled
def _marks(word):
    """The highest bit of each of eight bytes that is a quote or a control character."""
    return _zeros(word ^ QUOTES) | _zeros(word & PRINTABLE)


@compiled
def _zeros(word):
    """The highest bit of each byte that is zero (Warren, Hacker's Delight 6-1)."""
    return ~((word & SEVENS) + SEVENS | word | SEVENS)


@compiled
def _lowest(marks):
    """The number of the lowest byte that is marked: those below it, all their bits set, are counted."""
    return np.int64((((marks & ~marks + ONE) - ONE & ONES) * ONES) >> np.uint64(56)) - 1


@compiled
def _head(data, spaces):
    """Minute as 202603020905, both status codes as 200200, and milliseconds + 1; FREE for an unusual form."""
    minute = _minute(data, spaces[0] + 1) if spaces[1] - spaces[0] > 17 else FREE
    status, answered = _code(data, spaces[7] + 1, spaces[8]), _code(data, spaces[8] + 1, spaces[9])
    codes = status * 1000 + answered if status != FREE and answered != FREE else FREE
    return minute, codes, _took(data, spaces[5] + 1, spaces[6])


@compiled
def _minute(data, at):
    if data[at + 4] != DASH or data[at + 7] != DASH or data[at + 10] != LETTER_T:
        return FREE
    if data[at + 13] != COLON or data[at + 16] != COLON:
        return FREE
    minute = np.int64(0)
    for place in DIGITS:
        digit = np.int64(data[at + place]) - ZERO
        if digit < 0 or digit > 9:
            return FREE
        minute = minute * 10 + digit
    month, day = minute // 1_000_000 % 100, minute // 10_000 % 100
    if minute < 10**11 or month < 1 or month > 12 or day < 1 or day > DAYS[month - 1]:
        return FREE
    return minute if minute // 100 % 100 < 24 and minute % 100 < 60 else FREE


@compiled
def _code(data, at, end):
    if end - at == 1 and data[at] == DASH:
        return np.int64(0)
    return _number(data, at, end) if end - at == 3 else np.int64(FREE)


@compiled
def _took(data, at, end):
    if data[at] == DASH:
        return np.int64(0 if end - at == 2 and data[at + 1] == ZERO + 1 else FREE)
    point = end - 4
    if point <= at or point - at > 6 or data[point] != DOT:
        return np.int64(FREE)
    seconds, rest = _number(data, at, point), _number(data, point + 1, end)
    return np.int64(FREE) if seconds == FREE or rest == FREE else seconds * 1000 + rest + 1


@compiled
def _number(data, at, end):
    number = np.int64(0)
    for place in range(at, end):
        digit = np.int64(data[place]) - ZERO
        if digit < 0 or digit > 9:
            return np.int64(FREE)
        number = number * 10 + digit
    return number


@compiled
def _route(data, begin, end, routes, lengths, last):
    """The number of cipher, protocol and target group; most often it is that of the line before."""
    size = end - begin
    if _same(data, begin, size, routes[last], lengths[last]):
        return last
    for route in range(ROUTES):
        if lengths[route] == 0:
            if size > ROUTE or not _names_a_group(data, begin, end):
                return FREE
            routes[route, :size] = data[begin:end]
            lengths[route] = size
            return route
        if _same(data, begin, size, routes[route], lengths[route]):
            return route
    return FREE


@compiled
def _same(data, begin, size, route, length):
    if size != length:
        return False
    for place in range(size - 1, -1, -1):  # noqa: SIM110  target groups differ at their end; numba knows no all()
        if data[begin + place] != route[place]:
            return False
    return True


@compiled
def _names_a_group(data, begin, end):
    """Whether it is " cipher protocol arn:... " or " cipher protocol - "."""
    last, words, group = begin, 0, begin
    for place in range(begin, end):
        if data[place] > LAST_ASCII:
            return False
        if data[place] == SPACE:
            if place > begin and place - last == 1:
                return False
            last, words, group = place, words + 1, last + 1
    if words != 4 or data[begin] != SPACE or data[end - 1] != SPACE:
        return False
    if end - 1 - group == 1:
        return data[group] == DASH
    for place in range(4):
        if data[group + place] != ARN[place]:
            return False
    return end - 1 - group > 4


@compiled
def _count(keys, counts, first, second, n):
    """Add to a key's count: one if the key is new, zero if not."""
    slot = ((first * MIXER ^ second) * MIXER) >> 20 & (keys.shape[0] - 1)
    while counts[slot] and (keys[slot, 0] != first or keys[slot, 1] != second):
        slot = slot + 1 & keys.shape[0] - 1
    new = 1 if counts[slot] == 0 else 0
    keys[slot, 0], keys[slot, 1] = first, second
    counts[slot] += n
    return new


@compiled
def _move(keys, counts, into, counted):
    for slot in range(keys.shape[0]):
        if counts[slot]:
            _count(into, counted, keys[slot, 0], keys[slot, 1], counts[slot])
