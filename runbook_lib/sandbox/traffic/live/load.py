"""The load: an open-loop generator that follows the production listener of the world."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.tail import Tail

PROGRAM = Path(__file__).with_name("generator.py")


class Load:
    """A generator that runs while there is somewhere to send to; its lines can be read."""

    def __init__(self, leash: Leash, folder: Path, *, rate: float) -> None:
        self._leash, self._folder, self._rate = leash, folder, rate
        self._into = folder / "load.jsonl"
        self._url: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._done = Tail(self._into, reopen=_by_itself)

    def send_to(self, url: str | None) -> None:
        """Send there from now on; None: to nobody. The same again changes nothing."""
        if url == self._url or not self._rate:
            return
        self.stop()
        self._url = url
        if url is not None:
            asked = ["--url", url, "--rate", str(self._rate), "--into", str(self._into)]
            self._process = self._leash.start(
                [sys.executable, "-S", "-E", str(PROGRAM), *asked],
                directory=self._folder,
                environment={"LC_ALL": "C"},
                stderr=None,
            )

    def stop(self) -> None:
        """Send no more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._leash.let_go(self._process)
        self._process, self._url = None, None

    @staticmethod
    def read(line: bytes) -> list[Any]:
        """A line: when it was due (the wall's time), milliseconds, status, what went wrong, version."""
        found: list[Any] = json.loads(line)
        return found

    def lines(self) -> list[bytes]:
        """What came of the requests since the last time, a line each."""
        return self._done.lines()


def _by_itself() -> None:
    """The generator opens its file anew each time that it writes."""
