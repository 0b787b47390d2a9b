"""The content of the files that images are made of: kept on the build host and pushed with the image.

A layer only names its files and their digests, and that is all that most worlds need.  Where tasks really run, the
content of each file is pushed under its digest, beside the layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runbook_lib.sandbox.shims.docker.context import Context
from runbook_lib.sandbox.shims.docker.dockerfile import Instruction
from runbook_lib.sandbox.shims.docker.image import Image, digest
from runbook_lib.sandbox.shims.docker.registry import Registry
from runbook_lib.sandbox.shims.seat import Seat

FOLDER = "docker-files"
BATCH = 100  # ECR API reference, BatchCheckLayerAvailability


def keep(seat: Seat, files: Context, instructions: Iterable[Instruction]) -> None:
    """Remember the files that a build may have copied."""
    if not seat.keep_contents:
        return
    folder = seat.folder / FOLDER
    folder.mkdir(exist_ok=True)
    texts = [instruction.heredoc.encode() for instruction in instructions if instruction.heredoc]
    for content in (*(files.content(path) for path in files.paths), *texts):
        (folder / digest(content)).write_bytes(content)


def push(seat: Seat, registry: Registry, image: Image) -> None:
    """Bring the files of an image that the repository does not hold yet."""
    if not seat.keep_contents:
        return
    kept = dict.fromkeys(_named(image, seat.folder / FOLDER))
    names = list(kept)
    for first in range(0, len(names), BATCH):
        for name in registry.unavailable(names[first : first + BATCH]):
            registry.upload((seat.folder / FOLDER / name).read_bytes())


def _named(image: Image, folder: Path) -> Iterator[str]:
    for layer in image.layers:
        for line in layer.decode().splitlines():
            name = line.rpartition(" ")[2]
            if name.startswith("sha256:") and (folder / name).is_file():
                yield name
