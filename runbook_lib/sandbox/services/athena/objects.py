"""The rows of an external table: its objects, the partitions that they are of, and their lines.

Sources: Athena user guide, partition-projection-setting-up (storage.location.template, date ranges with NOW) and
regex-serde: a line that does not match is a row of NULLs.  An object whose name begins with "_" or "." is hidden.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runbook_lib.sandbox.errors import not_simulated
from runbook_lib.sandbox.services.athena.store import QueryFailed, Table

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PLACE = re.compile(r"\$\{(\w+)\}")
LINE_END = re.compile("\r\n|\n|\r")  # as Hadoop's reader of text ends lines
# letters of a projected date -> (pattern, strftime)
DATE = {"yyyy": (r"\d{4}", "%Y"), "MM": (r"\d{2}", "%m"), "dd": (r"\d{2}", "%d"), "HH": (r"\d{2}", "%H")}
LETTERS = re.compile("|".join(DATE))


@dataclass(frozen=True)
class Found:
    """An object of a table, with the values of its partitions."""

    bucket: str
    key: str
    size: int
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def objects(world: World, table: Table) -> list[Found]:
    """Every object of a table; those outside its projection are not among them."""
    bucket, prefix = _split(table.location)
    place = _projection(world, table)
    found = []
    for key, size in _listed(world, bucket, prefix):
        if key.rpartition("/")[2].startswith(("_", ".")) or key.endswith("/"):
            continue
        values = place(key) if place else ()
        if values is not None:
            found.append(Found(bucket, key, size, values))
    return found


def _split(location: str) -> tuple[str, str]:
    told = urlsplit(location)
    return told.netloc, told.path.strip("/") + "/" if told.path.strip("/") else ""


def _listed(world: World, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    from botocore.exceptions import ClientError

    try:
        for page in world.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from ((one["Key"], one["Size"]) for one in page.get("Contents", ()))
    except ClientError as error:
        told = error.response["Error"]
        raise QueryFailed(f"{told['Code']}: {told['Message']} (bucket {bucket})") from error


def _projection(world: World, table: Table) -> Callable[[str], tuple[str, ...] | None] | None:
    """A function that gives the values of the partitions of a key, None for a key of none; None without partitions."""
    if not table.partitions:
        return None
    if table.properties.get("projection.enabled", "").lower() != "true":
        return lambda key: None  # nobody told the catalogue of any partition
    template = table.properties.get("storage.location.template")
    if template is None:
        raise not_simulated("athena: projection without storage.location.template")
    bucket, prefix = _split(template)
    if bucket != _split(table.location)[0]:
        raise not_simulated("athena: projection into another bucket than the table's")
    names = [name for name, _ in table.partitions]
    parts = PLACE.split(prefix)
    pattern = "".join(
        f"(?P<{part}>{_values(table, part)})" if n % 2 else re.escape(part) for n, part in enumerate(parts)
    )
    shape = re.compile(pattern)
    ranges = {name: _range(world, table, name) for name in names}

    def values(key: str) -> tuple[str, ...] | None:
        match = shape.match(key)
        if match is None:
            return None
        told = tuple(match[name] for name in names)
        inside = all(low <= value <= high for value, (low, high) in zip(told, ranges.values(), strict=True))
        return told if inside else None

    return values


def _values(table: Table, name: str) -> str:
    """What a value of a partition looks like in a key."""
    kind = table.properties.get(f"projection.{name}.type")
    if kind == "date":
        form = table.properties[f"projection.{name}.format"]
        return LETTERS.sub(lambda found: DATE[found[0]][0], form)
    if kind == "enum":
        return "|".join(re.escape(value) for value in table.properties[f"projection.{name}.values"].split(","))
    if kind in ("integer", "injected"):
        return r"\d+" if kind == "integer" else "[^/]+"
    raise QueryFailed(f"INVALID_TABLE_PROPERTY: projection.{name}.type is {kind}")


def _range(world: World, table: Table, name: str) -> tuple[str, str]:
    """The first and last value of a projected date, as text: the letters of its form go from large to small."""
    if table.properties.get(f"projection.{name}.type") != "date":
        return "", "\U0010ffff"
    form = LETTERS.sub(lambda found: DATE[found[0]][1], table.properties[f"projection.{name}.format"])
    told = table.properties[f"projection.{name}.range"].split(",")
    if any(value.startswith("NOW") and value != "NOW" for value in told):
        raise not_simulated(f"athena: the range {','.join(told)}")
    low, high = (f"{world.datetime():{form}}" if value == "NOW" else value for value in told)
    return low, high


def lines(world: World, found: Found) -> list[str]:
    """The lines of an object; one that is packed and damaged fails the query."""
    body: bytes = world.client("s3").get_object(Bucket=found.bucket, Key=found.key)["Body"].read()
    if found.key.endswith(".gz"):
        try:
            body = gzip.decompress(body)
        except (EOFError, OSError, zlib.error) as error:
            raise QueryFailed(f"HIVE_CURSOR_ERROR: Failed to read file at {found.path}: {error}", category=1) from error
    text = LINE_END.split(body.decode("utf-8", "replace"))
    return text[:-1] if text and not text[-1] else text


def rows(table: Table, texts: Iterable[str]) -> Iterator[tuple[str | None, ...]]:
    """The columns of each line, as text."""
    width = len(table.columns)
    if table.pattern:
        shape = re.compile(table.pattern)
        for text in texts:
            match = shape.fullmatch(text)
            yield tuple(match.groups()[:width]) if match else (None,) * width
        return
    for text in texts:
        parts: list[str | None] = [*text.split(table.separator)[:width]]
        yield tuple(parts + [None] * (width - len(parts)))
