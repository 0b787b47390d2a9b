"""What a buildspec does, read command by command: variables, directories, images, files written."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from runbook_lib.documents.buildspec.spec import Buildspec, Command
from runbook_lib.documents.shell import (
    Hole,
    Part,
    Scope,
    Statement,
    Unread,
    Word,
    read_script,
    text_of,
    used_by,
)

ROOT = "/codebuild/output/src"
# CodeBuild user guide, "Environment variables in build environments" (build-env-ref-env-vars).
PROVIDED = (
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "HOME",
    "PATH",
    "PWD",
    "USER",
    "HOSTNAME",
    "RANDOM",
    "SECONDS",
    "OLDPWD",
)
# Options of docker build that take a value: Docker reference, "docker buildx build".
_WITH_VALUE = (
    "add-host allow attest build-arg build-context builder cache-from cache-to cpu-shares file iidfile isolation label"
    " memory metadata-file network output platform progress secret shm-size ssh tag target ulimit"
)
_VALUED = frozenset(f"--{name}" for name in _WITH_VALUE.split()) | {"-t", "-f", "-o", "-m", "-c"}
_OUTPUT = frozenset({"-o", "-O", "--out", "--output", "--outfile", "--output-file"})
Place = tuple[Command, Statement]


@dataclass(frozen=True)
class Write:
    """A file that a command writes: `path` from the source directory, None when the file does not say where."""

    command: Command
    statement: Statement
    chain: tuple[Statement, ...]
    target: Word
    name: str
    path: str | None
    appends: bool = False
    readable: bool = True


@dataclass(frozen=True)
class ImageBuild:
    """A docker build: Dockerfile and context from the source directory (None when unknown), and its names."""

    command: Command
    dockerfile: str | None
    context: str | None
    tags: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True)
class ImageName:
    """An image name that docker tag, push or pull is given; `source` is what docker tag starts from."""

    command: Command
    name: tuple[Part, ...]
    raw: str
    statement: Statement
    word: Word
    source: tuple[Part, ...] | None = None


@dataclass
class Trace:
    """Everything that was seen; `outside` are variables that neither the file nor CodeBuild sets.

    `entered` are the directories that the commands change into, from the source directory; `outputs` are values of
    options such as -o and --output, `named` all words: a program may write a file that it is only told the name of.
    """

    scope: Scope
    writes: list[Write] = field(default_factory=list)
    builds: list[ImageBuild] = field(default_factory=list)
    tags: list[ImageName] = field(default_factory=list)
    pushes: list[ImageName] = field(default_factory=list)
    pulls: list[ImageName] = field(default_factory=list)
    logins: list[Place] = field(default_factory=list)
    old_logins: list[Place] = field(default_factory=list)
    scripts: list[Place] = field(default_factory=list)
    aws: list[Place] = field(default_factory=list)
    outputs: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    outside: dict[str, Command] = field(default_factory=dict)
    unreadable: list[tuple[Command, Unread]] = field(default_factory=list)
    wrong_tags: list[Place] = field(default_factory=list)
    assigned_at: dict[str, Command] = field(default_factory=dict)
    entered: dict[str, Command] = field(default_factory=dict)


def trace(spec: Buildspec) -> Trace:
    """Follow the commands in the order in which CodeBuild runs them."""
    walker = _Walker(spec)
    for command in spec.commands:
        walker.run(command)
    return walker.trace


class _Walker:
    def __init__(self, spec: Buildspec) -> None:
        self.spec = spec
        self.trace = Trace(self._scope())
        self.directories: dict[tuple[int, ...], str | None] = {(): ROOT}

    def _scope(self) -> Scope:
        known = {name: node.raw for name, node in self.spec.variables.items()}
        scope = Scope({"CODEBUILD_SRC_DIR": ROOT, **known})
        scope.values.update({name: (Hole(f"${name}"),) for name in self.spec.secret_variables})
        return scope

    def run(self, command: Command) -> None:
        if self.spec.separate_shells:
            self.trace.scope, self.directories = self._scope(), {(): ROOT}
        script = read_script(command.text)
        if script.unread:
            self.trace.unreadable.append((command, script.unread))
        statements = script.statements
        self.directories = {(): self.directories[()]}
        for number, statement in enumerate(statements):
            self._statement(command, statement, statements[: number + 1])

    def _statement(self, command: Command, statement: Statement, before: tuple[Statement, ...]) -> None:
        for name in used_by(statement):
            if not self._is_set(name):
                self.trace.outside.setdefault(name, command)
        self.trace.scope.run(statement)
        for name, _ in statement.assignments:
            self.trace.assigned_at.setdefault(name, command)
        handler = _PROGRAMS.get(statement.program)
        if handler:
            handler(self, command, statement)
        self._named_files(statement)
        self._old_login(command, statement)
        self._writes(command, statement, before)
        if statement.program in ("bash", "sh", "make", "source", ".") or "/" in statement.program:
            self.trace.scripts.append((command, statement))

    def _named_files(self, statement: Statement) -> None:
        words = [text_of(self.trace.scope.value(word)) or "" for word in statement.arguments]
        self.trace.named.update(word.removeprefix("./") for word in words)
        if statement.program in ("aws", "docker"):
            return  # their --output is a format, or a folder of another kind
        for option, value in itertools.pairwise([*words, ""]):
            name, equals, given = option.partition("=")
            if name in _OUTPUT:
                self.trace.outputs.add((given if equals else value).removeprefix("./"))

    def _is_set(self, name: str) -> bool:
        provided = name.startswith("CODEBUILD_") or name in PROVIDED
        return provided or name in self.trace.scope.values or not name[0].isalpha()

    def _old_login(self, command: Command, statement: Statement) -> None:
        texts = " ".join(word.raw for word in statement.words)
        if "ecr get-login" in texts and "get-login-password" not in texts:
            self.trace.old_logins.append((command, statement))

    def directory(self, statement: Statement) -> str | None:
        inner = statement.subshells
        while inner not in self.directories:
            inner = inner[:-1]
        return self.directories[inner]

    def change_directory(self, command: Command, statement: Statement) -> None:
        words = [word for word in statement.arguments if word.literal != "--"]
        target = text_of(self.trace.scope.value(words[0])) if words and words[0].literal != "-" else None
        path = self._absolute(target, statement)
        self.directories[statement.subshells] = path
        if path and path.startswith(f"{ROOT}/"):
            self.trace.entered.setdefault(posixpath.relpath(path, ROOT), command)

    def leave_directory(self, command: Command, statement: Statement) -> None:
        self.directories[statement.subshells] = None

    def _absolute(self, path: str | None, statement: Statement) -> str | None:
        directory = self.directory(statement)
        if path is None or (directory is None and not path.startswith("/")):
            return None
        return posixpath.normpath(posixpath.join(directory or "/", path))

    def place(self, word: Word, statement: Statement) -> str | None:
        """A path from the source directory; None when it is outside of it or not known."""
        path = self._absolute(text_of(self.trace.scope.value(word)), statement)
        if path is None or not (path == ROOT or path.startswith(f"{ROOT}/")):
            return None
        return posixpath.relpath(path, ROOT)

    def _writes(self, command: Command, statement: Statement, before: tuple[Statement, ...]) -> None:
        piped = _piped(before)
        for redirect in statement.redirects:
            if redirect.writes:
                self._write(command, statement, piped, redirect.target, appends=redirect.operator.endswith(">>"))
        words = [word for word in statement.arguments if not (word.literal or "").startswith("-")]
        if statement.program == "tee":
            for word in words:
                appends = any(one.literal == "-a" for one in statement.arguments)
                self._write(command, statement, piped, word, appends=appends)
        elif words and _rewrites(statement):
            self._write(command, statement, piped, words[-1], readable=False)

    def _write(
        self,
        command: Command,
        statement: Statement,
        chain: tuple[Statement, ...],
        target: Word,
        *,
        appends: bool = False,
        readable: bool = True,
    ) -> None:
        shown = "".join(map(str, (part for part in self.trace.scope.value(target) if isinstance(part, str))))
        name = posixpath.basename(shown or target.raw)
        path = self.place(target, statement)
        self.trace.writes.append(Write(command, statement, chain, target, name, path, appends, readable))

    def aws(self, command: Command, statement: Statement) -> None:
        self.trace.aws.append((command, statement))

    def docker(self, command: Command, statement: Statement) -> None:
        words = list(statement.arguments)
        if words and words[0].literal in ("image", "buildx", "builder", "container"):
            words.pop(0)
        verb = words.pop(0).literal if words else ""
        handler = _DOCKER.get(verb or "")
        if handler:
            handler(self, command, statement, words)

    def build(self, command: Command, statement: Statement, words: list[Word]) -> None:
        options, positional = _options(words)
        value = self.trace.scope.value
        context = self.place(positional[0], statement) if positional else None
        file = options.get("-f") or options.get("--file")
        beside = None if context is None else posixpath.normpath(posixpath.join(context, "Dockerfile"))
        dockerfile = self.place(file[-1], statement) if file else beside
        names = [*options.get("-t", []), *options.get("--tag", [])]
        self.trace.builds.append(ImageBuild(command, dockerfile, context, tuple(value(name) for name in names)))
        if "--push" in options:
            self.trace.pushes.extend(ImageName(command, value(name), name.raw, statement, name) for name in names)

    def tag(self, command: Command, statement: Statement, words: list[Word]) -> None:
        _, positional = _options(words)
        if len(positional) != 2:
            self.trace.wrong_tags.append((command, statement))
            return
        source, target = (self.trace.scope.value(word) for word in positional)
        name = ImageName(command, target, positional[1].raw, statement, positional[1], source)
        self.trace.tags.append(name)

    def push(self, command: Command, statement: Statement, words: list[Word]) -> None:
        self._named(self.trace.pushes, command, statement, words)

    def pull(self, command: Command, statement: Statement, words: list[Word]) -> None:
        self._named(self.trace.pulls, command, statement, words)

    def login(self, command: Command, statement: Statement, words: list[Word]) -> None:
        self.trace.logins.append((command, statement))

    def _named(self, names: list[ImageName], command: Command, statement: Statement, words: list[Word]) -> None:
        for word in _options(words)[1]:
            names.append(ImageName(command, self.trace.scope.value(word), word.raw, statement, word))


_PROGRAMS: dict[str, Callable[[_Walker, Command, Statement], None]] = {
    "cd": _Walker.change_directory,
    "pushd": _Walker.change_directory,
    "popd": _Walker.leave_directory,
    "docker": _Walker.docker,
    "aws": _Walker.aws,
}
_DOCKER: dict[str, Callable[[_Walker, Command, Statement, list[Word]], None]] = {
    "build": _Walker.build,
    "tag": _Walker.tag,
    "push": _Walker.push,
    "pull": _Walker.pull,
    "login": _Walker.login,
}


def _rewrites(statement: Statement) -> bool:
    in_place = any((word.literal or "").startswith("-i") for word in statement.arguments)
    return statement.program in ("cp", "mv") or (statement.program == "sed" and in_place)


def _piped(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The last statement and those that are piped into it."""
    first = len(statements) - 1
    while first > 0 and statements[first].joiner == "|":
        first -= 1
    return statements[first:]


def _options(words: list[Word]) -> tuple[dict[str, list[Word]], list[Word]]:
    """docker's options with their values, and what is no option."""
    options: dict[str, list[Word]] = {}
    positional: list[Word] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.raw.startswith("-") or word.raw == "-":
            positional.append(word)
            continue
        name, equals, _ = word.raw.partition("=")
        if equals:
            options.setdefault(name, []).append(word.behind(f"{name}="))
        else:
            options.setdefault(name, []).extend([left.pop(0)] if name in _VALUED and left else [])
    return options, positional
