"""A file of an access log as it is stored: compressed lines, of a size that is known before they are made.

A busy hour has millions of lines, and mostly nobody reads them. What is kept of a modelled file is what its lines
follow from; S3 lists its size and ETag at once, and the lines are made when somebody gets it.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from runbook_lib.sandbox.shelf import Laid
from runbook_lib.sandbox.traffic import synthesis
from runbook_lib.sandbox.traffic.accesslog import Minute, Origin
from runbook_lib.sandbox.traffic.tally import Tally

LEVEL = 3  # of compression of the lines
SMALL = 1 << 20  # bytes of a file that is kept for the next reader
# What a file takes at most. Measured: 74 to 88 bytes a line where there are more than a hundred, and about 700 for the
# first ones; most of it is what differs in each line (trace, connection, two times, client).
FIRST, EACH = 1200, 104
# RFC 1952: a header with the name of the file; RFC 1951: blocks without content, one in between and the last one.
HEADER = struct.Struct("<4sI2s")
NAMED = b"\x1f\x8b\x08\x08"
EMPTY, LAST = b"\x00\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff"
NAME = b"access-log"
END = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Modelled:
    """The lines of one node in modelled minutes."""

    etag: str  # as that of an upload in parts, which is no checksum of the content (S3 API reference, Object)
    delivered: float
    lines: int
    recipe: Laid

    @classmethod
    def of(cls, key: str, minutes: Sequence[Minute], origin: Origin, *, seed: int, delivered: float) -> Modelled:
        """The file of a node; of the minutes only what the node served is kept."""
        own = tuple(Minute(one.start, one.front, _of_node(one, origin.zone)) for one in minutes)
        lines = sum(int(counts.sum()) for one in own for counts in one.tally.values())
        recipe = zlib.compress(pickle.dumps((own, origin, seed), 5))
        etag = f"{hashlib.sha256(key.encode() + recipe).hexdigest()[:32]}-1"
        return cls(etag, delivered, lines, Laid(recipe))

    @property
    def size(self) -> int:
        """Bytes."""
        return FIRST + EACH * self.lines

    def made(self) -> bytes:
        """The file itself."""
        return _again(self) if self.size <= SMALL else _once(self)


def _made(file: Modelled) -> bytes:
    minutes, origin, seed = pickle.loads(zlib.decompress(file.recipe.read()))
    lines = (line for minute in minutes for line in synthesis.lines(minute, origin, seed=seed))
    return compressed(lines, at=file.delivered, size=file.size)


_once = lru_cache(maxsize=1)(_made)  # a large file is read in parts
_again = lru_cache(maxsize=32)(_made)  # a look back reads the same files for each of its questions


def _of_node(minute: Minute, zone: str) -> Tally:
    """What a node served; the counts in as few bytes as hold them."""
    import numpy

    served = {outcome: counts for outcome, counts in minute.tally.items() if outcome.node == zone and counts.any()}
    return {outcome: counts.astype(numpy.min_scalar_type(counts.max())) for outcome, counts in served.items()}


def compressed(lines: Iterable[str], *, at: float, size: int = 0) -> bytes:
    """Lines as a gzip file, filled up to a size by blocks without content."""
    text = "".join(f"{line}\n" for line in lines).encode()
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
    end = LAST + END.pack(zlib.crc32(text), len(text) % 2**32)
    missing = max(0, size - HEADER.size - len(NAME) - 1 - len(body) - len(end))
    # The blocks are of five bytes each; the name makes up the rest.
    blocks, rest = divmod(missing + 4, len(EMPTY))
    name = NAME[: len(NAME) - 4 + rest] if missing else NAME
    head = HEADER.pack(NAMED, int(at), b"\x00\x03") + name + b"\0"
    return head + body + EMPTY * blocks + end
