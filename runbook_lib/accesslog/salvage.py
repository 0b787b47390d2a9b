"""What can still be read of a file that no reader takes as it is: half-written, damaged, or with bytes of no text."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

CHUNK, LITTLE = 1 << 20, 1 << 12
LONGEST = 1 << 16  # bytes of a line that are kept: AWS cuts a request at 16 KB and a user agent at 8 KB
PLAIN = {code: " " for code in (*range(32), 127)}
GZIP = 31  # zlib's window bits: 15, with the header of gzip


def salvage(path: Path, into: Path, *, packed: bool) -> str | None:
    """Write the lines of a file that can be read into another, as plain text; says what is wrong with the file.

    None when nothing is but characters that do not belong there.  Control characters become spaces, bytes that are
    no UTF-8 the replacement character, and a line ends after LONGEST bytes, so that each stays one line.
    """
    trouble: list[str] = []
    pieces = _unpacked(path, trouble) if packed else _plain(path)
    with into.open("wb") as out:
        for line in _lines(pieces):
            out.write(line[:LONGEST].decode("utf-8", "replace").translate(PLAIN).encode() + b"\n")
    return trouble[0] if trouble else None


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _unpacked(path: Path, trouble: list[str]) -> Iterator[bytes]:
    """The content as far as it goes; the sums at the end of each member are checked.

    Little by little, for what zlib made of a piece is lost when it finds the piece to be damaged.
    """
    unpacker, begun = zlib.decompressobj(GZIP), False
    with path.open("rb") as file:
        while piece := file.read(LITTLE):
            while piece:
                try:
                    yield unpacker.decompress(piece)
                except zlib.error as error:
                    trouble.append(f"damaged: {error}")
                    return
                begun, piece = not unpacker.eof, b""
                if unpacker.eof:
                    piece = unpacker.unused_data.lstrip(b"\0")  # another member, or padding
                    unpacker = zlib.decompressobj(GZIP)
    if begun:
        trouble.append("half-written: it ends before its end")
    elif path.stat().st_size == 0:
        trouble.append("half-written: it is empty")


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST:  # a line without an end must not fill the memory
            rest = rest[: LONGEST + 1]
        yield from whole
    if rest:
        yield rest
