"""What another program adds to a file is read line by line, also while the file is begun anew."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.sandbox.traffic.live.tail import Tail


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def test_no_line_is_lost_when_the_file_is_begun_anew(tmp_path: Path) -> None:
    """A writer makes the new file first and goes over to it a moment later; the old one gets its last lines between."""
    path, told = tmp_path / "log", list[str]()
    tail = Tail(path, reopen=lambda: told.append("reopen"), most=8)
    write(path, "first", "second")
    assert tail.lines() == [b"first", b"second"]
    old = path.with_name("log.old")
    assert (told, path.exists()) == (["reopen"], False)
    write(old, "third")
    assert tail.lines() == [b"third"]
    path.touch()
    assert tail.lines() == []
    write(old, "fourth")
    write(path, "fifth")
    assert tail.lines() == [b"fourth", b"fifth"]
    assert not old.exists()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    """Only whole lines are given."""
    path = tmp_path / "log"
    tail = Tail(path, reopen=lambda: None)
    path.write_bytes(b"one\ntw")
    assert tail.lines() == [b"one"]
    write(path, "o")
    assert tail.lines() == [b"two"]
