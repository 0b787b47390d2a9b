"""A buildspec as it is written: its phases, its commands with their places, its artifacts.

Keys: CodeBuild user guide, "Build specification reference" (build-spec-ref).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source
from runbook_lib.documents.yaml_text import parse_yaml

NAME = "buildspec.yml"
PHASES = ("install", "pre_build", "build", "post_build")
SECTIONS = ("commands", "finally")


@dataclass(frozen=True)
class Command:
    """One command of a phase; `shared` when its list is an alias or is used again by one."""

    phase: str
    section: str
    number: int
    node: Node
    line: int
    shared: bool = False

    @property
    def text(self) -> str:
        """The command as the shell gets it."""
        return self.node.raw

    def line_at(self, offset: int) -> int:
        """The file's line of a place in the command's text; of a block the line inside, else the command's own."""
        return self.line + 1 + self.text.count("\n", 0, offset) if self.node.style == "|" else self.line


@dataclass(frozen=True)
class Buildspec:
    """A buildspec that can be read: version 0.1 or 0.2, phases with lists of commands."""

    document: Document

    @property
    def root(self) -> Node:
        return self.document.root

    @property
    def source(self) -> Source:
        return self.document.source

    @property
    def separate_shells(self) -> bool:
        """Version 0.1 runs every command in its own shell: no variable and no directory lasts."""
        return self.root.text("version") == "0.1"

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """All commands in the order in which CodeBuild runs them."""
        return tuple(command for phase in PHASES for section in SECTIONS for command in self._section(phase, section))

    @property
    def variables(self) -> dict[str, Node]:
        """The values of env.variables."""
        found = self.root.at("env", "variables")
        return {key.raw: value for key, value in found.pairs} if found else {}

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """Names that env takes from Parameter Store or Secrets Manager."""
        kept = (self.root.at("env", store) for store in ("parameter-store", "secrets-manager"))
        return tuple(name for node in kept if node for name in node.names())

    @property
    def files(self) -> tuple[Node, ...]:
        """The entries of artifacts.files; a single text counts as a list of one."""
        found = self.root.at("artifacts", "files")
        return () if found is None or not (found.items or found.raw) else found.items or (found,)

    @property
    def secondary(self) -> dict[str, tuple[Node, ...]]:
        """The entries of artifacts.secondary-artifacts by the artifact's name."""
        found = self.root.at("artifacts", "secondary-artifacts")
        return {key.raw: listed.items for key, value in found.pairs if (listed := value.get("files"))} if found else {}

    @property
    def entries(self) -> tuple[Node, ...]:
        """The entries of every artifact, secondary ones included."""
        return (*self.files, *(entry for entries in self.secondary.values() for entry in entries))

    @property
    def base_directory(self) -> str:
        """artifacts.base-directory, empty when it is the source directory itself."""
        found = self.root.at("artifacts", "base-directory")
        raw = found.raw.removeprefix("./").rstrip("/") if found else ""
        return "" if raw in (".", "$CODEBUILD_SRC_DIR", "${CODEBUILD_SRC_DIR}") else raw

    def index_at(self, command: Command, offset: int) -> int:
        """The place in the file of a character of a command; of one that YAML folds or quotes, the command's own."""
        node, text = command.node, command.text
        if node.style == "|":
            number = self.source.line(node.start) + 1 + text.count("\n", 0, offset)
            start, end = self.source.nth_line(number)
            column = offset - (text.rfind("\n", 0, offset) + 1)
            length = len(text[offset - column :].partition("\n")[0])
            return start + (end - start - length) + column
        index = node.start + len(node.style) + offset
        written = self.source.text[node.start + len(node.style) : node.end - len(node.style)]
        return index if not node.alias and written == text else node.start

    def listed(self, phase: str, section: str = "commands") -> Node | None:
        """The list of commands of a phase."""
        return self.root.at("phases", phase, section)

    def _section(self, phase: str, section: str) -> Iterator[Command]:
        found = self.listed(phase, section)
        shared = self._is_shared("phases", phase, section)
        for number, item in enumerate(found.items if found else ()):
            yield Command(phase, section, number, item, self.document.line(item), shared)

    @cached_property
    def _aliases(self) -> set[str]:
        return {node.alias for node in self.root.walk() if node.alias}

    def _is_shared(self, *path: str) -> bool:
        chain = [self.root.at(*path[:length]) for length in range(1, len(path) + 1)]
        own = [node.key(key) for node, key in zip([self.root, *chain[:-1]], path, strict=True) if node]
        return None in own or any(node and (node.alias or node.anchor in self._aliases) for node in chain)

    def is_shared(self, *path: str) -> bool:
        """Whether an edit at this path would also change another place of the file."""
        return self._is_shared(*path)


def parse(text: str | bytes | Source, *, name: str = NAME) -> Buildspec:
    """Read a buildspec; what CodeBuild could not read is an error with line, column and remedy."""
    document = parse_yaml(text, name=name)
    root = document.top_map("a map")
    _require_version(document, root)
    _require_phases(document, root)
    for key in ("env", "artifacts"):
        node = root.get(key)
        if node and node.kind not in ("map", "nothing"):
            raise document.bad(node, wanted=f"the keys of {key}", next_step=f"indent them below {key}:")
    _require_files(document, root)
    return Buildspec(document)


def _require_version(document: Document, root: Node) -> None:
    version = root.get("version")
    if version is None or version.raw not in ("0.1", "0.2"):
        raise document.bad(
            version or root,
            seen=f"version {version.raw!r}" if version else "no version",
            wanted="version: 0.2",
            next_step="write 'version: 0.2' as the first line",
        )


def _require_phases(document: Document, root: Node) -> None:
    phases = root.get("phases")
    if phases is None or phases.kind != "map":
        raise document.bad(
            phases or root,
            seen=phases.shown() if phases else f"the keys {', '.join(root.names())}",
            wanted="phases with install, pre_build, build or post_build",
            next_step="add the phases, or name the right file",
        )
    for key, phase in phases.pairs:
        if phase.kind not in ("map", "nothing"):
            raise document.bad(phase, wanted=f"the keys of {key.raw}", next_step=f"indent 'commands:' below {key.raw}:")
        for section in SECTIONS:
            _require_commands(document, phase.get(section))


def _require_commands(document: Document, commands: Node | None) -> None:
    if commands is None or commands.kind == "nothing":
        return
    if commands.kind != "list":
        raise document.bad(commands, wanted="a list of commands", next_step="write '- ' before each command")
    for item in commands.items:
        if item.kind in ("map", "list"):
            raise document.bad(
                item,
                seen=f"a command that YAML reads as {item.shown()}",
                wanted="a text: CodeBuild refuses this as YAML_FILE_ERROR (found subkeys instead)",
                next_step="put the whole command between single quotes: an unquoted ': ' starts a map",
            )


def _require_files(document: Document, root: Node) -> None:
    files = root.at("artifacts", "files")
    wrong = [item for item in files.items if item.kind in ("map", "list")] if files else []
    if files and (files.kind == "map" or wrong):
        raise document.bad((*wrong, files)[0], wanted="a list of file names", next_step="write '- <file>' per line")
