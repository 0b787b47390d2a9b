"""The two image files: imageDetail.json (blue/green) and imagedefinitions.json (rolling).

Names, keys and shapes: CodePipeline user guide, "Image definitions file reference" (file-reference).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runbook_lib.documents.finding import Finding, refuse
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.json_text import parse_json
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.source import Source

DETAIL = "imageDetail.json"
DEFINITIONS = "imagedefinitions.json"


@dataclass(frozen=True)
class ImageDefinition:
    """Which image a container gets in a rolling deployment."""

    container: str
    image: str


def image_detail(image: str) -> str:
    """The text of imageDetail.json for an image."""
    return json.dumps({"ImageURI": image}) + "\n"


def image_definitions(images: Mapping[str, str]) -> str:
    """The text of imagedefinitions.json: container name to image."""
    return json.dumps([{"name": name, "imageUri": image} for name, image in images.items()]) + "\n"


def near_miss(path: str) -> str | None:
    """The file that was meant by a name such as imageDetails.json; None for a right or an unrelated name."""
    name = path.rsplit("/", 1)[-1]
    plain = name.lower().replace("_", "").replace("-", "")
    meant = {"imagedetail.json": DETAIL, "imagedetails.json": DETAIL, "imagedefinition.json": DEFINITIONS}
    found = meant.get(plain) or (DEFINITIONS if plain == DEFINITIONS else None)
    return found if found != name else None


def parse_image_detail(text: str | bytes | Source, *, name: str = DETAIL) -> str:
    """The image that an imageDetail.json names; an error says what is wrong with the file."""
    refuse(check_image_detail(text, name=name))
    found = parse_json(text, name=name).root.get("ImageURI")
    return found.raw if found else ""


def parse_image_definitions(text: str | bytes | Source, *, name: str = DEFINITIONS) -> tuple[ImageDefinition, ...]:
    """The images that an imagedefinitions.json names; an error says what is wrong with the file."""
    refuse(check_image_definitions(text, name=name))
    items = parse_json(text, name=name).root.items
    return tuple(ImageDefinition(item.text("name"), item.text("imageUri")) for item in items)


def check_image_detail(text: str | bytes | Source, *, name: str = DETAIL) -> tuple[Finding, ...]:
    """Findings about an imageDetail.json, its file name included."""
    document = parse_json(text, name=name)
    return (*_check_name(document), *_check_detail(document))


def check_image_definitions(text: str | bytes | Source, *, name: str = DEFINITIONS) -> tuple[Finding, ...]:
    """Findings about an imagedefinitions.json, its file name included."""
    document = parse_json(text, name=name)
    return (*_check_name(document), *_check_definitions(document))


def _check_name(document: Document) -> Iterator[Finding]:
    meant = near_miss(document.source.name)
    if meant:
        yield Finding(
            "image_file_name",
            document.source.name,
            f"the file name {document.source.name.rsplit('/', 1)[-1]!r}",
            f"{meant!r}, letter by letter: the deploy action looks for no other name",
            f"rename the file to {meant}",
        )


def _check_detail(document: Document) -> Iterator[Finding]:
    root = document.root
    if root.kind != "map":
        yield _shape(
            document,
            root,
            "an object with ImageURI (a list with imageUri is the rolling deployment's imagedefinitions.json)",
            'write {"ImageURI": "<repository>@<digest>"}',
        )
        return
    uri = root.get("ImageURI")
    if uri is None:
        yield _missing(document, root, "ImageURI")
    else:
        yield from _check_uri(document, uri)


def _check_definitions(document: Document) -> Iterator[Finding]:
    root = document.root
    if root.kind != "list" or not root.items:
        yield _shape(
            document,
            root,
            "a list with one object per container",
            'write [{"name": "<container>", "imageUri": "<image>"}]',
            rule="imagedefinitions_shape",
        )
    for item in root.items:
        yield from _check_definition(document, item)


def _check_definition(document: Document, item: Node) -> Iterator[Finding]:
    if item.kind != "map":
        yield _shape(document, item, "an object", "write one object per container", rule="imagedefinitions_shape")
        return
    for key in ("name", "imageUri"):
        if item.get(key) is None:
            yield _missing(document, item, key, rule="imagedefinitions_shape")
    if uri := item.get("imageUri"):
        yield from _check_uri(document, uri, rule="imagedefinitions_shape")


def _check_uri(document: Document, uri: Node, rule: str = "image_detail_shape") -> Iterator[Finding]:
    if uri.kind != "text" or image_uri(uri.raw) is None:
        yield _shape(document, uri, "the name of an image", "write <repository>:<tag> or <repository>@<digest>", rule)


def _missing(document: Document, node: Node, key: str, rule: str = "image_detail_shape") -> Finding:
    other = next((name for name in node.names() if name.lower() in (key.lower(), "image", "uri")), None)
    seen = f"the key {other!r} instead of {key!r}" if other else f"no key {key!r}"
    return Finding(rule, document.where(node), seen, f"the key {key!r}, upper and lower case as here", f"write {key!r}")


def _shape(document: Document, node: Node, wanted: str, next_step: str, rule: str = "image_detail_shape") -> Finding:
    return Finding(rule, document.where(node), node.shown(), wanted, next_step)
