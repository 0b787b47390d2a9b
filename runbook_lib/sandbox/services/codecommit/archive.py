"""Zip archives that are the same for the same content: sorted, dated 1980, stored."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3


@dataclass(frozen=True)
class Member:
    """A file of an archive: its mode as git or stat gives it, and its content."""

    mode: int
    content: bytes


def pack(members: Mapping[str, Member]) -> bytes:
    """The archive of these files, by path."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path, member in sorted(members.items()):
            entry = zipfile.ZipInfo(path, DATE)
            entry.create_system = UNIX
            entry.external_attr = member.mode << 16
            archive.writestr(entry, member.content)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, Member]:
    """The files of an archive; one that keeps no modes gives ordinary files."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {
            entry.filename: Member(entry.external_attr >> 16 or 0o100644, archive.read(entry))
            for entry in archive.infolist()
            if not entry.is_dir()
        }
