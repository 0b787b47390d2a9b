"""The machine that the runbooks run on: what it must have, and what it has."""

from __future__ import annotations

import shutil
import sys
from importlib import metadata

from runbook_lib.check import Check, Checks, ask, checks
from runbook_lib.table import Table
from runbook_lib.views import checks_table

PROGRAMS = ("git", "bash")
OLDEST = (3, 11)


def check_machine() -> Table:
    """Is this machine ready: Python, programs, and every package in the version that was tested?"""
    return checks_table(ready())


def ready() -> Checks:
    """The questions behind `check_machine`."""
    wrong = tuple(_wrong_packages())
    return checks(
        "This machine",
        (
            ask(
                "Is Python new enough?",
                sys.version_info[:2] >= OLDEST,
                seen="new enough" if sys.version_info[:2] >= OLDEST else sys.version.split()[0],
                wanted="3.11 or newer",
                remedy="run make demo with a newer Python on the PATH",
            ),
            *(_program(name) for name in PROGRAMS),
            ask(
                "Are all packages there, in the versions that were tested?",
                not wrong,
                seen=", ".join(wrong) or "all there",
                wanted="the versions of the lock file",
                remedy="run make demo: it renews the environment",
            ),
        ),
    )


def _program(name: str) -> Check:
    there = shutil.which(name) is not None
    seen = "there" if there else "not there"
    return ask(f"Is {name} there?", there, seen=seen, wanted="there", remedy=f"install {name}")


def _wrong_packages() -> list[str]:
    from packaging.requirements import Requirement

    wrong = []
    for text in metadata.requires("runbook-lib") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"no {requirement.name}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version}")
    return wrong
