"""Reads the files of a folder into the picture; a file that is malformed becomes a trouble, and the others are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from runbook_lib.documents import appspec, buildspec, dockerfile, imagedetail, pipeline
from runbook_lib.documents.appspec.text import document_of
from runbook_lib.documents.buildspec.trace import trace
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.json_text import parse_json, parse_template
from runbook_lib.documents.node import Document
from runbook_lib.documents.source import Source, read
from runbook_lib.documents.taskdef.check import check_document
from runbook_lib.documents.taskdef.text import parse as parse_taskdef
from runbook_lib.documents.taskdef.text import shaped
from runbook_lib.errors import BadInput
from runbook_lib.preflight import places
from runbook_lib.preflight.picture import Files, Picture, Pipeline, Trouble
from runbook_lib.preflight.tree import MOST, MOST_FOLDERS, Tree, open_tree

PARSE: dict[str, Callable[[Source], Any]] = {
    "buildspec": lambda source: buildspec.parse(source, name=source.name),
    "taskdef": lambda source: read_taskdef(source)[0],
    "appspec": lambda source: document_of(source, source.name),
    "dockerfile": lambda source: dockerfile.read(source, name=source.name),
}
CHECKS: dict[str, Callable[[Source], tuple[Finding, ...]]] = {
    "buildspec": lambda source: buildspec.check(source, name=source.name),
    "taskdef": lambda source: (*(read := read_taskdef(source))[1], *check_document(read[0])),
    "appspec": lambda source: appspec.check(source, name=source.name),
}
IMAGES: dict[str, Callable[[Source], tuple[Finding, ...]]] = {
    imagedetail.DETAIL: lambda source: imagedetail.check_image_detail(source, name=source.name),
    imagedetail.DEFINITIONS: lambda source: imagedetail.check_image_definitions(source, name=source.name),
}


MOST_OTHERS = 8
NONE = "no buildspec, task definition, AppSpec, image file or Dockerfile"
WANTED = "the folder of an application"
REMEDY = "name the folder that holds its buildspec, taskdef.json and appspec.yaml"
# What a file lacks as the one that the pipeline reads; another file of its kind may well be for something else.
OF_THE_ONE_READ = frozenset(
    {
        "image_detail_never_written",
        "buildspec_still_rolling",
        "artifacts_missing_files",
        "no_artifacts_block",
    }
)


def read_taskdef(source: Source) -> tuple[Document, tuple[Finding, ...]]:
    """A task definition, also one with tokens that a command replaces; what is no JSON yet is found."""
    try:
        return parse_taskdef(source, name=source.name), ()
    except BadInput as strict:
        try:
            document, oddities = parse_template(source, name=source.name)
        except BadInput:
            raise strict from None
        if not oddities:
            raise
        first, wanted = oddities[0], "JSON, as the deploy action reads it"
        told = Finding(
            "taskdef_not_json", document.where(first), first.raw, wanted, "let the build fill it in, or quote it"
        )
        return shaped(document), (told,)


def read_folder(directory: Path, *, pipeline_file: Path | None = None) -> Picture:
    """The picture of a folder, with the pipeline of a definition file where one is given."""
    return read_tree(open_tree(directory), pipeline_file=pipeline_file)


def read_some(directory: Path) -> Picture:
    """The picture of some files of a repository: that a folder holds no others says nothing."""
    picture = read_tree(open_tree(directory))
    return replace(picture, troubles=tuple(one for one in picture.troubles if one.seen != NONE))


def read_tree(tree: Tree, *, pipeline_file: Path | None = None) -> Picture:
    """The same of a folder as repairs would make it."""
    reader = _Reader(tree)
    transforms, all_searched = places.transforms(tree)
    parts = {part: reader.part(part) for part in places.USUAL}
    spec = parts["buildspec"]
    files = Files(
        tree.directory,
        below=tree.below,
        names=reader.names,
        transforms=transforms,
        all_searched=all_searched,
        **parts,
        facts=reader.tried("buildspec", lambda: buildspec.facts(spec.source, name=spec.source.name)) if spec else None,
        trace=reader.tried("buildspec", lambda: trace(spec)) if spec else None,
        image_files=reader.image_files(),
        findings=tuple(reader.findings),
    )
    if not (reader.names or files.image_files or transforms or reader.troubles):
        reader.troubles.append(Trouble("files", str(tree.directory), NONE, WANTED, REMEDY))
    found = reader.tried("pipeline", lambda: _pipeline(pipeline_file)) if pipeline_file else None
    absent = {"pipeline": "no pipeline definition was given (--pipeline FILE)"}
    absent |= {f"files.{part}": f"the folder has no {names[0]}" for part, names in places.USUAL.items()}
    return Picture(files, found, troubles=tuple(reader.troubles), absent=absent)


class _Reader:
    """Reads file after file and keeps what goes wrong."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.troubles: list[Trouble] = []
        self.findings: list[Finding] = []
        self.names = places.find(tree)
        if not tree.complete:
            seen, wanted = f"more than {MOST:,} files or {MOST_FOLDERS:,} folders", "the folder of one application"
            self.troubles.append(Trouble("files", str(tree.directory), seen, wanted, REMEDY))

    def part(self, part: str) -> Any:
        names = self.names.get(part)
        return self.tried(f"files.{part}", lambda: self._parsed(part, names[0])) if names else None

    def _parsed(self, part: str, name: str) -> Any:
        source = self.tree.read(name)
        parsed = PARSE[part](source)
        if part in CHECKS:
            self.findings += self.tried(f"others.{part}", partial(CHECKS[part], source)) or ()
            for other in self._others(part):
                found = self.tried(f"others.{part}", partial(CHECKS[part], other)) or ()
                kept = (finding for finding in found if finding.rule not in OF_THE_ONE_READ)
                # Its image is a choice of whoever reads it.
                self.findings += (replace(one, stops=one.stops and "_image_" not in one.rule) for one in kept)
        return parsed

    def _others(self, part: str) -> Iterator[Source]:
        """Further files of the same kind: another pipeline may read them."""
        _, *others = self.names[part]
        if len(others) > MOST_OTHERS:
            seen, wanted = f"{len(others)} further files of this kind", f"at most {MOST_OTHERS}, which are read"
            self.troubles.append(Trouble(f"others.{part}", others[MOST_OTHERS], seen, wanted, "check its folder alone"))
        for name in others[:MOST_OTHERS]:
            found = self.tried(f"others.{part}", partial(self.tree.read, name))
            if found:
                yield found

    def tried(self, part: str, read_it: Callable[[], Any]) -> Any:
        try:
            return read_it()
        except BadInput as error:
            trouble = Trouble(part, error.where or part, error.seen, error.wanted, error.next_step)
            self.troubles.append(trouble)
            return None

    def image_files(self) -> tuple[Document, ...]:
        found = [name for name in IMAGES if name in self.tree.below]
        read_ones = (self.tried("files.image_files", partial(self._image, name)) for name in found)
        return tuple(document for document in read_ones if document)

    def _image(self, name: str) -> Document:
        source = self.tree.read(name)
        self.findings += IMAGES[name](source)
        return parse_json(source, name=name)


def _pipeline(path: Path) -> Pipeline:
    return Pipeline(path.name, pipeline.parse(read(path), name=path.name))
