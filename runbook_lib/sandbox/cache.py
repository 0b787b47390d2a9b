"""The folder for what was worked out before and is used again: builds that ran, worlds that were brought to a state.

It is the user's cache folder, or the one that $RUNBOOK_CACHE names; where that is empty nothing is kept.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

VARIABLE = "RUNBOOK_CACHE"
PACKAGE = Path(__file__).parents[1]
# What a world's content depends on besides this library; the rest of the lock file only serves people.
VERSIONS = ("awscli", "boto3", "botocore", "dulwich", "moto", "numpy", "pydantic", "ruamel.yaml", "cryptography")


def folder() -> Path | None:
    """Where things are kept, None when nothing shall be."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen else None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "runbook-lib")


@functools.cache
def program() -> str:
    """A hash of everything that decides what a sandbox does: this library, its libraries, and this machine."""
    content = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        content.update(path.relative_to(PACKAGE).as_posix().encode())
        content.update(path.read_bytes())
    for name in VERSIONS:
        content.update(importlib.metadata.version(name).encode())
    content.update(f"{platform.python_version()} {platform.platform()}".encode())
    for command in ("bash", "git"):
        found = shutil.which(command)
        content.update(f"{command} {found} {os.stat(found).st_size if found else 0}".encode())
    return content.hexdigest()
