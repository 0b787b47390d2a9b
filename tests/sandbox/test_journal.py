"""The journal: what was written is read again, what was not finished is left out, and damage is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import journal
from runbook_lib.sandbox.journal import Journal

SAVE = "5a" * 32
CONTENTS = [b"{1}\nfirst", b"{2}\n\xa5J\0\0", b"{3}\n" + bytes(range(256))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with three entries."""
    written = Journal.begin(tmp_path / "world.journal", continues=SAVE)
    for content in CONTENTS:
        written.append(content)
    written.sync()
    written.close()
    return tmp_path / "world.journal"


def test_what_was_written_is_read_in_its_order(path: Path) -> None:
    """With the save that it continues; whatever bytes an entry holds."""
    found = journal.read(path)
    assert (found.continues, found.torn) == (SAVE, 0)
    assert [each.content for each in found.entries] == CONTENTS


def test_a_last_entry_that_was_cut_off_anywhere_is_left_out(path: Path) -> None:
    """The ones before it are there; so it is at each of its bytes."""
    whole, last = path.read_bytes(), journal.read(path).entries[-1].offset
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        found = journal.read(path)
        assert [each.content for each in found.entries] == CONTENTS[:2]
        assert (found.end, found.torn) == (last, length - last)


def test_zeros_where_the_machine_had_not_written_yet_are_a_cut(path: Path) -> None:
    """As a file system leaves them that knew the length already when the power went."""
    whole, last = path.read_bytes(), journal.read(path).entries[-1].offset
    for length in (last + 3, last + 20, len(whole) - 1):
        path.write_bytes(whole[:length] + bytes(len(whole) - length))
        assert [each.content for each in journal.read(path).entries] == CONTENTS[:2]


def test_a_changed_byte_is_refused_by_file_and_offset_wherever_it_is(path: Path) -> None:
    """Also in the last entry: it is as long as it should be, so somebody was told that it was kept."""
    whole, entries = path.read_bytes(), journal.read(path).entries
    for place in range(entries[0].offset, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        begin = max(each.offset for each in entries if each.offset <= place)
        with pytest.raises(BadInput, match=f"offset {begin}: seen: it is damaged") as raised:
            journal.read(path)
        assert str(path) in str(raised.value)


def test_a_missing_piece_in_the_middle_is_refused(path: Path) -> None:
    """Not taken for a cut at the end."""
    whole, entries = path.read_bytes(), journal.read(path).entries
    path.write_bytes(whole[: entries[1].offset + 5] + whole[entries[2].offset :])
    with pytest.raises(BadInput, match=f"offset {entries[1].offset}"):
        journal.read(path)


@pytest.mark.parametrize("content", [b"", b"junk\n", b"runbook sandbox journal, format 2, continues x\n"])
def test_what_is_no_journal_is_refused_with_its_beginning(tmp_path: Path, content: bytes) -> None:
    """A truncated file, another file, another version."""
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(BadInput, match="it begins with"):
        journal.read(tmp_path / "j")


def test_a_journal_of_somebody_else_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls would be made here."""
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(BadInput, match="belongs to user"):
        journal.read(path)


def test_writing_goes_on_behind_the_last_whole_entry(path: Path) -> None:
    """The rest of the one that was cut off is gone."""
    path.write_bytes(path.read_bytes()[:-1])
    again = Journal(path, end=journal.read(path).end)
    again.append(b"{4}\n")
    again.close()
    assert [each.content for each in journal.read(path).entries] == [*CONTENTS[:2], b"{4}\n"]
