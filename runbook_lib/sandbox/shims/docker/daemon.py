"""The images that a build host holds, kept in one file between two commands."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.image import Image, digest, read_config
from runbook_lib.sandbox.shims.docker.reference import Reference, parse
from runbook_lib.sandbox.shims.seat import Seat

FILE = "docker.json"
NOT_RUNNING = "Cannot connect to the Docker daemon at unix:/var/run/docker.sock. Is the docker daemon running?"


@dataclass
class Daemon:
    """Images by id, tags in the order of their making, and the digests known from a registry."""

    path: Path
    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    digests: dict[str, list[str]] = field(default_factory=dict)

    def add(self, image: Image, names: list[str]) -> None:
        """Keep an image under these names; a name that another image had moves."""
        self.images[image.id] = image
        for name in names:
            self.tags.pop(name, None)
            self.tags[name] = image.id
        self.save()

    def find(self, text: str) -> Image | None:
        """The image of that name, digest or (shortened) id."""
        reference = parse(text)
        known = self.tags.get(str(reference.tagged))
        if reference.digest:
            known = next(
                (key for key, names in self.digests.items() if f"{reference.name}@{reference.digest}" in names), None
            )
        known = known or next((key for key in self.images if key.removeprefix("sha256:").startswith(text)), None)
        return self.images[known] if known else None

    def must_find(self, text: str) -> Image:
        """The same, or docker's refusal."""
        found = self.find(text)
        if found is None:
            raise DockerError(f"Error response from daemon: No such image: {parse(text).tagged}")
        return found

    def pushed(self, image: Image, reference: Reference) -> None:
        """Remember under which digest a registry knows the image."""
        known = self.digests.setdefault(image.id, [])
        name = f"{reference.name}@{image.digest}"
        if name not in known:
            known.append(name)
        self.save()

    def forget(self, text: str) -> list[str]:
        """Take a name away, and the image with its last name; what was done, as docker prints it."""
        image, name = self.must_find(text), str(parse(text).tagged)
        done = [f"Untagged: {name}"] if self.tags.pop(name, None) else []
        if image.id not in self.tags.values():
            del self.images[image.id]
            done.append(f"Deleted: {image.id}")
        self.save()
        return done

    def save(self) -> None:
        self.path.write_text(
            json.dumps(
                {
                    "images": [_stored(image) for image in self.images.values()],
                    "tags": self.tags,
                    "digests": self.digests,
                }
            )
        )


def open_daemon(seat: Seat) -> Daemon:
    """The host's docker daemon; without privileged mode there is none."""
    if not seat.privileged:
        raise DockerError(NOT_RUNNING)
    path = seat.folder / FILE
    if not path.exists():
        return Daemon(path)
    stored = json.loads(path.read_text())
    images = [_restored(image) for image in stored["images"]]
    return Daemon(path, {image.id: image for image in images}, stored["tags"], stored["digests"])


def short(image: Image) -> str:
    """The twelve characters by which docker lists an image."""
    return image.id.removeprefix("sha256:")[:12]


def _stored(image: Image) -> dict[str, object]:
    return {"config": image.config_blob.decode(), "layers": [layer.decode() for layer in image.layers]}


def _restored(stored: dict[str, object]) -> Image:
    layers = stored["layers"]
    assert isinstance(layers, list)
    image = Image(read_config(str(stored["config"]).encode()), tuple(layer.encode() for layer in layers))
    if digest(str(stored["config"]).encode()) != image.id:
        raise DockerError(f"Error response from daemon: image {image.id} is damaged")
    return image
