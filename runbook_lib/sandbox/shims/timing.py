"""`sleep` and `date`, which wait in the world and tell its time."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from runbook_lib.sandbox.shims.host import SEARCHED
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
INTERVAL = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([smhd]?)")
DEFAULT = "%a %b %e %H:%M:%S %Z %Y"
ISO = {
    "": "%Y-%m-%d",
    "date": "%Y-%m-%d",
    "hours": "%Y-%m-%dT%H+00:00",
    "minutes": "%Y-%m-%dT%H:%M+00:00",
    "seconds": "%Y-%m-%dT%H:%M:%S+00:00",
    "ns": "%Y-%m-%dT%H:%M:%S,%N+00:00",
}


def sleep(wire: Wire, terminal: Terminal, argv: Sequence[str]) -> int:
    """`sleep NUMBER[smhd]...`, as GNU's does."""
    if not argv:
        terminal.warn("sleep: missing operand\nTry 'sleep --help' for more information.")
        return 1
    seconds = 0.0
    for word in argv:
        found = INTERVAL.fullmatch(word)
        if not found:
            terminal.warn(f"sleep: invalid time interval '{word}'\nTry 'sleep --help' for more information.")
            return 1
        seconds += float(found.group(1)) * SECONDS[found.group(2)]
    wire.sleep(seconds)
    return 0


def date(wire: Wire, terminal: Terminal, argv: Sequence[str]) -> int:
    """`date [-u] [+FORMAT]`, -I, -R and --date; always in UTC, as on a build host."""
    now, form, described, words = wire.now(), DEFAULT, "", list(argv)
    while words:
        word = words.pop(0)
        if word.startswith("+"):
            form = word[1:]
        elif word in ("-d", "--date") and words:
            described = words.pop(0)
        elif word.startswith(("-d", "--date=")):
            described = word.removeprefix("--date=").removeprefix("-d")
        elif word.startswith(("-I", "--iso-8601")):
            form = ISO[word.removeprefix("-I").removeprefix("--iso-8601").removeprefix("=")]
        elif word in ("-R", "--rfc-email", "--rfc-2822"):
            form = "%a, %d %b %Y %H:%M:%S +0000"
        elif word not in ("-u", "--utc", "--universal"):
            terminal.warn(f"date: invalid option or operand '{word}'\nTry 'date --help' for more information.")
            return 1
    moment = _described(described, now) if described else now
    if moment is None:
        terminal.warn(f"date: invalid date '{described}'")
        return 1
    terminal.say(_formatted(form, moment))
    return 0


def _formatted(form: str, moment: float) -> str:
    parts = time.gmtime(moment)
    nanoseconds = f"{round(moment % 1 * 1e9):09d}"
    form = form.replace("%N", nanoseconds).replace("%3N", nanoseconds[:3]).replace("%s", str(int(moment)))
    return time.strftime(form.replace("%Z", "UTC").replace("%z", "+0000"), parts)


def _described(text: str, now: float) -> float | None:
    """The moment that a text such as `1 day ago` means; GNU date reads it, counted from the world's time."""
    command = shutil.which("date", path=SEARCHED) or "date"
    base = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC ")
    for words in (base + text, text):
        done = subprocess.run([command, "-u", "-d", words, "+%s"], capture_output=True, text=True)
        if done.returncode == 0:
            return float(done.stdout)
    return None
