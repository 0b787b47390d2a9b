"""`docker build`: the instructions of a Dockerfile, one step after the other, as the classic builder prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from runbook_lib.sandbox.shims.docker import copying, words
from runbook_lib.sandbox.shims.docker.context import Context
from runbook_lib.sandbox.shims.docker.dockerfile import Instruction
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.image import Config, Image, digest, layer
from runbook_lib.sandbox.shims.docker.stage import SETTERS, Stage

PREDEFINED = frozenset(
    name
    for word in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (word, word.upper())
)
NOT_RUN = " ---> not executed in the sandbox: the image records the command"


@dataclass(frozen=True)
class Order:
    """What was asked for: build arguments, platform, the stage to stop at (empty for the last) and labels."""

    arguments: Mapping[str, str]
    platform: str
    target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Builder:
    """Carries out one order; `base` finds the image that a FROM names, `say` prints a line."""

    order: Order
    context: Context
    base: Callable[[str, str], Image]
    say: Callable[[str], None]
    stages: list[Stage] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)

    def run(self, instructions: list[Instruction]) -> Image:
        """The image of the wanted stage."""
        for number, instruction in enumerate(instructions, 1):
            if instruction.name == "FROM" and self._reached_target():
                break
            self.say(f"Step {number}/{len(instructions)} : {instruction}")
            STEPS.get(instruction.name, _configure)(self, instruction)
            if self.stages:
                self.say(f" ---> {self._id()}")
        return self._finished()

    @property
    def stage(self) -> Stage:
        if not self.stages:
            raise DockerError("Error response from daemon: no build stage in current context")
        return self.stages[-1]

    def variables(self) -> dict[str, str]:
        """What is known before the first FROM."""
        system, _, architecture = self.order.platform.partition("/")
        known = {"TARGETPLATFORM": self.order.platform, "TARGETOS": system, "TARGETARCH": architecture}
        return {**known, "BUILDPLATFORM": self.order.platform, **self.defaults}

    def _reached_target(self) -> bool:
        return bool(self.order.target and self.stages and self.stages[-1].name == self.order.target)

    def _id(self) -> str:
        return self.stages[-1].image.id.removeprefix("sha256:")[:12]

    def _finished(self) -> Image:
        if self.order.target and self.stage.name != self.order.target:
            raise DockerError(f"failed to reach build target {self.order.target} in Dockerfile")
        used = {name for stage in self.stages for name in stage.arguments} | set(self.defaults) | PREDEFINED
        unused = [name for name in self.order.arguments if name not in used]
        if unused:
            self.say(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed")
        image = self.stage.image
        return replace(image, config=replace(image.config, labels={**image.config.labels, **self.order.labels}))


def _from(builder: Builder, instruction: Instruction) -> None:
    text = words.words(instruction.text, builder.variables())
    if not text or not text[0]:
        raise DockerError(f"base name ({instruction.text.split()[0]}) should not be blank")
    if len(text) not in (1, 3) or (len(text) == 3 and text[1].upper() != "AS"):
        raise DockerError("Error response from daemon: FROM requires either one or three arguments")
    platform = words.expand(instruction.flags.get("platform", ""), builder.variables()) or builder.order.platform
    earlier = _stage_named(builder, text[0])
    image = earlier.image if earlier else _base(builder, text[0], platform)
    builder.stages.append(Stage(text[2] if len(text) == 3 else "", image, builder.order.arguments))


def _base(builder: Builder, name: str, platform: str) -> Image:
    if name == "scratch":
        return Image(Config(platform=platform))
    return builder.base(name, platform)


def _stage_named(builder: Builder, name: str) -> Stage | None:
    if name.isdigit() and int(name) < len(builder.stages):
        return builder.stages[int(name)]
    return next((stage for stage in reversed(builder.stages) if stage.name.lower() == name.lower() != ""), None)


def _arg(builder: Builder, instruction: Instruction) -> None:
    for word in instruction.text.split() if "=" not in instruction.text else [instruction.text]:
        name, equals, default = word.partition("=")
        if builder.stages:
            known = {**builder.variables(), **builder.stage.variables}
            builder.stage.declare(name, words.expand(default, known) if equals else None, builder.variables())
            continue
        value = builder.order.arguments.get(name, words.expand(default, builder.variables()) if equals else None)
        if value is not None:
            builder.defaults[name] = value


def _run(builder: Builder, instruction: Instruction) -> None:
    builder.say(NOT_RUN)
    said = f"{' '.join(builder.stage.shell)} {instruction.text}"
    # Build arguments take part in what a command makes, as they do in docker's build cache.
    given = [f"arg {name}={value}" for name, value in sorted(builder.stage.arguments.items())]
    builder.stage.add_layer([f"run {said}", *given, *instruction.heredoc.splitlines()])
    builder.stage.image = replace(builder.stage.image, config=builder.stage.image.config.said(said))


def _copy(builder: Builder, instruction: Instruction) -> None:
    stage = builder.stage
    arguments = words.array(instruction.text)
    arguments = arguments or [word for word in words.words(instruction.text, stage.variables) if word]
    copying.check_arguments(instruction.name, arguments)
    if "from" in instruction.flags:
        lines = _from_elsewhere(builder, instruction.flags["from"], arguments)
    elif instruction.heredoc:
        lines = [f"{arguments[-1]} 644 {digest(instruction.heredoc.encode())}"]
    else:
        lines = copying.lines(instruction.name, builder.context, arguments, stage.image.config.directory)
    stage.add_layer(lines)
    said = f"/bin/sh -c #(nop) {instruction.name} {digest(layer(lines))} in {arguments[-1]}"
    stage.image = replace(stage.image, config=stage.image.config.said(said))


def _from_elsewhere(builder: Builder, source: str, arguments: list[str]) -> list[str]:
    # What RUN would have made in the other stage is not there: the whole of that stage stands for what is copied.
    stage = _stage_named(builder, words.expand(source, builder.variables()))
    origin = digest(b"".join(stage.image.layers)) if stage else f"image {source}"
    return [f"{arguments[-1]} from {origin} {path}" for path in arguments[:-1]]


def _configure(builder: Builder, instruction: Instruction) -> None:
    if instruction.name not in SETTERS:
        raise DockerError(f"Error response from daemon: unknown instruction: {instruction.name}")
    builder.stage.apply(instruction)


STEPS: dict[str, Callable[[Builder, Instruction], None]] = {
    "FROM": _from,
    "ARG": _arg,
    "RUN": _run,
    "COPY": _copy,
    "ADD": _copy,
}
