"""Access logs that lie on this machine: a folder of them, or single files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runbook_lib.accesslog.files import LogFile, NoAccessLog, named, needed
from runbook_lib.accesslog.window import Window

SUFFIXES = (".log", ".log.gz")


@dataclass(frozen=True)
class LocalLogs:
    """The files *.log and *.log.gz below a folder, or one file; of one load balancer (app/name/id) if one is named."""

    path: Path
    balancer: str | None = None

    @property
    def place(self) -> str:
        return str(self.path.resolve())

    def files(self, window: Window) -> tuple[LogFile, ...]:
        """The files that the window needs; raises NoAccessLog where there are none."""
        if not self.path.exists():
            raise self._none(f"no {self.path}", "a folder or a file of access logs", "correct the path")
        found = [self._file(path) for path in self._paths()]
        if not found:
            raise self._none(f"{self.path} without a .log or .log.gz", "files of an access log", "correct the path")
        kept = needed(found, window, self.balancer)
        if not kept:
            raise self._none(_outside(found, self.balancer), f"files of {window}", "correct the window or the path")
        return kept

    def opener(self) -> LocalLogs:
        return self

    def remote(self) -> LocalLogs:
        """Other processes see the same paths: on other machines the folder must be mounted there."""
        return self

    def fetch(self, file: LogFile, folder: Path) -> Path:
        return Path(file.name)

    def _paths(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        return sorted(path for path in self.path.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())

    def _file(self, path: Path) -> LogFile:
        told = path.stat()
        return named(str(path), told.st_size, str(told.st_mtime_ns))

    def _none(self, seen: str, wanted: str, next_step: str) -> NoAccessLog:
        return NoAccessLog(where="the access log", seen=seen, wanted=wanted, next_step=next_step)


def _outside(found: list[LogFile], balancer: str | None) -> str:
    ends = sorted(file.end for file in found if file.end is not None)
    of = (
        f", none of {balancer}"
        if balancer and not any(f.balancer in (None, balancer.replace("/", ".")) for f in found)
        else ""
    )
    return f"{len(found)} files, of intervals that end from {ends[0]:%Y-%m-%dT%H:%M}Z to {ends[-1]:%Y-%m-%dT%H:%M}Z{of}"
