"""Options of docker's commands: long and short, with and without a value, in any order between the arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runbook_lib.sandbox.shims.docker.failure import DockerError

USAGE = 125


def names(text: str) -> frozenset[str]:
    """A set of names, written as one line of text."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Flags:
    """The options that a command knows: those with a value, those without, and the one-letter names of both."""

    valued: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    short: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Parsed:
    """What was given: the values of each option in order, and the arguments."""

    options: dict[str, list[str]] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        self.options.setdefault(name, []).append(value)

    def last(self, name: str, default: str = "") -> str:
        """The value given last, as docker takes it for options that can be given once."""
        return self.options.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        return self.options.get(name, [])

    def on(self, name: str) -> bool:
        """Whether a switch is on; `--name=false` turns it off."""
        return self.last(name, "false") != "false"


def parse(command: str, argv: Sequence[str], flags: Flags) -> Parsed:
    """Options and arguments of `docker <command>`; an unknown option is refused with docker's words."""
    parsed, words = Parsed(), list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            parsed.arguments += words
            break
        if word.startswith("--"):
            _long(command, word, words, flags, parsed)
        elif word.startswith("-") and len(word) > 1:
            _short(command, word, words, flags, parsed)
        else:
            parsed.arguments.append(word)
    return parsed


def exactly(command: str, arguments: Sequence[str], count: int, usage: str) -> None:
    """Refuse, with docker's words, any other number of arguments."""
    if len(arguments) != count:
        raise _arguments(command, f"requires exactly {count} argument{'s' if count > 1 else ''}", usage)


def at_least_one(command: str, arguments: Sequence[str], usage: str) -> None:
    """Refuse a command that was given nothing."""
    if not arguments:
        raise _arguments(command, "requires at least 1 argument", usage)


def _arguments(command: str, problem: str, usage: str) -> DockerError:
    return DockerError(f"\"docker {command}\" {problem}.\nSee 'docker {command} --help'.\n\nUsage:  docker {usage}")


def _long(command: str, word: str, words: list[str], flags: Flags, parsed: Parsed) -> None:
    name, equals, value = word[2:].partition("=")
    if name in flags.switches:
        parsed.add(name, value if equals else "true")
    elif name in flags.valued:
        parsed.add(name, value if equals else _next(command, f"--{name}", words))
    else:
        raise DockerError(f"unknown flag: --{name}\nSee 'docker {command} --help'.", USAGE)


def _short(command: str, word: str, words: list[str], flags: Flags, parsed: Parsed) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = flags.short.get(letter)
        if name is None:
            raise DockerError(f"unknown shorthand flag: '{letter}' in {word}\nSee 'docker {command} --help'.", USAGE)
        if name in flags.switches:
            parsed.add(name, "true")
            continue
        parsed.add(name, letters.removeprefix("=") or _next(command, f"'{letter}' in -{letter}", words))
        break


def _next(command: str, name: str, words: list[str]) -> str:
    if not words:
        raise DockerError(f"flag needs an argument: {name}\nSee 'docker {command} --help'.", USAGE)
    return words.pop(0)
