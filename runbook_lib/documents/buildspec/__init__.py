"""The buildspec: read, edited for blue/green without touching another byte, repaired, checked."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.documents.buildspec.artifacts import FILES, covers, hand_over_files, planned_files
from runbook_lib.documents.buildspec.check import check
from runbook_lib.documents.buildspec.detail import planned_detail, write_image_detail
from runbook_lib.documents.buildspec.facts import Fact, Facts, facts
from runbook_lib.documents.buildspec.repair import Repair, repairs
from runbook_lib.documents.buildspec.spec import NAME, Buildspec, Command, parse
from runbook_lib.documents.edit import Edit
from runbook_lib.documents.source import Source


def to_blue_green(
    text: str | bytes | Source,
    *,
    files: Sequence[str] = FILES,
    container: str | None = None,
    image: str | None = None,
    name: str = NAME,
) -> Edit:
    """Both edits of the move: imageDetail.json is written, and all files are handed to the deploy action.

    `container` chooses one of several images in imagedefinitions.json, `image` one of several that are pushed.
    """
    spec = parse(text, name=name)
    return planned_detail(spec, container, image).edit(planned_files(spec, files))


__all__ = [
    "FILES",
    "NAME",
    "Buildspec",
    "Command",
    "Fact",
    "Facts",
    "Repair",
    "check",
    "covers",
    "facts",
    "hand_over_files",
    "parse",
    "repairs",
    "to_blue_green",
    "write_image_detail",
]
