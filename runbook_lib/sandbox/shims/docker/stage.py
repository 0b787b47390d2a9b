"""One stage of a build: an image that grows instruction by instruction, and the variables that hold there."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from runbook_lib.sandbox.shims.docker import words
from runbook_lib.sandbox.shims.docker.dockerfile import Instruction
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.image import Config, Image, layer


@dataclass
class Stage:
    """The image so far, the name of the stage (empty without one) and its build arguments."""

    name: str
    image: Image
    given: Mapping[str, str]
    arguments: dict[str, str] = field(default_factory=dict)
    shell: tuple[str, ...] = ("/bin/sh", "-c")

    @property
    def variables(self) -> dict[str, str]:
        """What `$NAME` stands for: build arguments, overruled by the image's environment."""
        return {**self.arguments, **self.image.config.environment}

    def add_layer(self, lines: list[str]) -> None:
        """One more layer."""
        self.image = replace(self.image, layers=(*self.image.layers, layer(lines)))

    def declare(self, name: str, default: str | None, defaults: Mapping[str, str]) -> None:
        """ARG: the value given on the command line, else the default here, else the one before the first FROM."""
        value = self.given.get(name, defaults.get(name) if default is None else default)
        if value is not None:
            self.arguments[name] = value

    def apply(self, instruction: Instruction) -> None:
        """Carry out an instruction that only changes the configuration."""
        changed = SETTERS[instruction.name](self, instruction)
        self.image = replace(self.image, config=changed.said(f"/bin/sh -c #(nop) {instruction}"))


def _env(stage: Stage, instruction: Instruction) -> Config:
    added = words.pairs(instruction.text, stage.variables, "ENV")
    config = stage.image.config
    return replace(config, environment={**config.environment, **added})


def _label(stage: Stage, instruction: Instruction) -> Config:
    added = words.pairs(instruction.text, stage.variables, "LABEL")
    return replace(stage.image.config, labels={**stage.image.config.labels, **added})


def _maintainer(stage: Stage, instruction: Instruction) -> Config:
    return replace(stage.image.config, labels={**stage.image.config.labels, "maintainer": instruction.text})


def _command(stage: Stage, instruction: Instruction) -> Config:
    return replace(stage.image.config, command=_words_of_command(stage, instruction.text))


def _entrypoint(stage: Stage, instruction: Instruction) -> Config:
    # A new entrypoint takes an inherited CMD away (Dockerfile reference, "Understand how CMD and ENTRYPOINT interact").
    return replace(stage.image.config, entrypoint=_words_of_command(stage, instruction.text), command=())


def _words_of_command(stage: Stage, text: str) -> tuple[str, ...]:
    listed = words.array(text)
    return tuple(listed) if listed is not None else (*stage.shell, text)


def _expose(stage: Stage, instruction: Instruction) -> Config:
    ports = [_port(word) for word in words.words(instruction.text, stage.variables)]
    return replace(stage.image.config, exposed=tuple(dict.fromkeys([*stage.image.config.exposed, *ports])))


def _port(word: str) -> str:
    number, _, protocol = word.partition("/")
    if not all(part.isdigit() for part in number.split("-")):
        raise DockerError(f"Error response from daemon: Invalid containerPort: {word}")
    return f"{number}/{protocol or 'tcp'}"


def _volume(stage: Stage, instruction: Instruction) -> Config:
    listed = words.array(instruction.text) or words.words(instruction.text, stage.variables)
    return replace(stage.image.config, volumes=tuple(dict.fromkeys([*stage.image.config.volumes, *listed])))


def _directory(stage: Stage, instruction: Instruction) -> Config:
    config = stage.image.config
    path = words.expand(instruction.text, stage.variables)
    return replace(config, directory=posixpath.normpath(posixpath.join(config.directory or "/", path)))


def _user(stage: Stage, instruction: Instruction) -> Config:
    return replace(stage.image.config, user=words.expand(instruction.text, stage.variables))


def _health(stage: Stage, instruction: Instruction) -> Config:
    return replace(stage.image.config, health=instruction.text.removeprefix("CMD").strip())


def _stop_signal(stage: Stage, instruction: Instruction) -> Config:
    return replace(stage.image.config, stop_signal=words.expand(instruction.text, stage.variables))


def _shell(stage: Stage, instruction: Instruction) -> Config:
    listed = words.array(instruction.text)
    if not listed:
        raise DockerError("SHELL requires the arguments to be in JSON form")
    stage.shell = tuple(listed)
    return stage.image.config


def _unchanged(stage: Stage, instruction: Instruction) -> Config:
    return stage.image.config


SETTERS: dict[str, Callable[[Stage, Instruction], Config]] = {
    "ENV": _env,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "CMD": _command,
    "ENTRYPOINT": _entrypoint,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "WORKDIR": _directory,
    "USER": _user,
    "HEALTHCHECK": _health,
    "STOPSIGNAL": _stop_signal,
    "SHELL": _shell,
    "ONBUILD": _unchanged,
}
