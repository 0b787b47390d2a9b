"""`docker images`, `docker inspect` and the like: what is on the build host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from runbook_lib.sandbox.shims.docker import flags
from runbook_lib.sandbox.shims.docker.daemon import Daemon, open_daemon, short
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.flags import Flags
from runbook_lib.sandbox.shims.docker.image import NEVER, Image
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

LIST = Flags(
    frozenset({"filter", "format"}),
    frozenset({"all", "quiet", "no-trunc", "digests"}),
    {"a": "all", "q": "quiet", "f": "filter"},
)
INSPECT = Flags(frozenset({"format", "type"}), frozenset({"size"}), {"f": "format", "s": "size"})
FIELD = re.compile(r"\{\{\s*(json\s+|index\s+)?(\.[\w.]*)\s*(\d+|\"[^\"]*\")?\s*\}\}")


def images(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker images [-q] [NAME]`: one line a name, the newest first."""
    given = flags.parse("images", argv, LIST)
    daemon = open_daemon(wire.seat)
    rows = [row for row in _rows(daemon) if not given.arguments or given.arguments[0] in (row[0], f"{row[0]}:{row[1]}")]
    if given.on("quiet"):
        for identity in dict.fromkeys(row[2] for row in rows):
            terminal.say(identity)
        return 0
    for line in _columns([("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"), *rows]):
        terminal.say(line)
    return 0


def inspect(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker inspect [--format TEMPLATE] NAME...` of images."""
    given = flags.parse("inspect", argv, INSPECT)
    flags.at_least_one("inspect", given.arguments, "inspect [OPTIONS] NAME|ID [NAME|ID...]")
    daemon, found = open_daemon(wire.seat), []
    for name in given.arguments:
        image = daemon.find(name)
        if image is None:
            terminal.say("[]")
            raise DockerError(f"Error: No such object: {name}")
        found.append(describe(daemon, image))
    if not given.last("format"):
        terminal.say(json.dumps(found, indent=4))
    for described in found if given.last("format") else ():
        terminal.say(render(given.last("format"), described))
    return 0


def describe(daemon: Daemon, image: Image) -> dict[str, Any]:
    """What docker tells about an image."""
    system, _, architecture = image.config.platform.partition("/")
    stored = json.loads(image.config_blob)
    return {
        "Id": image.id,
        "RepoTags": [name for name, identity in daemon.tags.items() if identity == image.id],
        "RepoDigests": daemon.digests.get(image.id, []),
        "Created": NEVER,
        "Config": stored["config"],
        "Architecture": architecture,
        "Os": system,
        "Size": _size(image),
        "RootFS": {"Type": "layers", "Layers": stored["rootfs"]["diff_ids"]},
    }


def render(template: str, described: Any) -> str:
    """A template of --format: fields, `index` and `json` of Go's templates."""
    rendered = FIELD.sub(lambda found: _field(found, described), template)
    if "{{" in rendered:
        raise DockerError(
            f"template parsing error: the sandbox reads {{{{.Field}}}}, index and json only: {template}", 64
        )
    return rendered


def _field(found: re.Match[str], described: Any) -> str:
    function, path, key = (found.group(1) or "").strip(), found.group(2), found.group(3)
    value = described
    for name in filter(None, path.split(".")):
        if not isinstance(value, dict) or name not in value:
            raise DockerError(f'template: :1: executing "" at <{path}>: map has no entry for key "{name}"', 64)
        value = value[name]
    if function == "json":
        return json.dumps(value, separators=(",", ":"))
    return _plain(_index(value, key or "") if function == "index" else value)


def _index(value: Any, key: str) -> Any:
    if isinstance(value, list):
        if not key.isdigit() or int(key) >= len(value):
            raise DockerError(
                f'template: :1:2: executing "" at <index>: error calling index: index out of range: {key}', 64
            )
        return value[int(key)]
    return value.get(key.strip('"'), "<no value>")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(_plain(each) for each in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_plain(each)}' for key, each in sorted(value.items()))}]"
    return {True: "true", False: "false", None: "<nil>"}.get(value, str(value)) if value is not None else "<nil>"


def _rows(daemon: Daemon) -> list[tuple[str, str, str, str, str]]:
    named = [(*_name(tag), daemon.images[identity]) for tag, identity in reversed(daemon.tags.items())]
    bare = [("<none>", "<none>", image) for key, image in daemon.images.items() if key not in daemon.tags.values()]
    return [(name, tag, short(image), "N/A", f"{_size(image)}B") for name, tag, image in [*named, *bare]]


def _name(tag: str) -> tuple[str, str]:
    name, _, label = tag.rpartition(":")
    return name, label


def _size(image: Image) -> int:
    return sum(len(layer) for layer in image.layers)


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(len(rows[0]))]
    return ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
