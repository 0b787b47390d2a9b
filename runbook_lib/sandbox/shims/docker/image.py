"""A content-addressed image: configuration, layers and manifest, without any time in it (image manifest v2.2)."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Config:
    """What an image says about the containers made from it."""

    platform: str = "linux/amd64"
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    directory: str = ""
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    health: str = ""
    stop_signal: str = ""
    history: tuple[str, ...] = ()

    def said(self, line: str) -> Config:
        """The same, with one more line of history."""
        return replace(self, history=(*self.history, line))


@dataclass(frozen=True)
class Image:
    """Configuration and layers; a layer is the sorted list of the files that it brings, with their digests."""

    config: Config
    layers: tuple[bytes, ...] = ()

    @functools.cached_property
    def config_blob(self) -> bytes:
        """The configuration as docker stores it; its digest is the image's id."""
        return _json(_config(self.config, self.layers))

    @property
    def id(self) -> str:
        return digest(self.config_blob)

    @functools.cached_property
    def manifest(self) -> bytes:
        """The manifest, whose digest is the image's digest in a registry."""
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, self.config_blob),
                "layers": [_descriptor(LAYER, layer) for layer in self.layers],
            },
            indent=3,
        ).encode()

    @property
    def digest(self) -> str:
        return digest(self.manifest)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """What a registry must hold before it takes the manifest."""
        return (*self.layers, self.config_blob)


def digest(content: bytes) -> str:
    """The name that content has wherever images are stored."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(lines: Sequence[str]) -> bytes:
    """A layer from its lines: sorted, so that the order of copying within a step does not count."""
    return "".join(f"{line}\n" for line in sorted(lines)).encode()


def read_config(blob: bytes) -> Config:
    """The configuration in a config blob; what is missing there stays at its default."""
    stored = json.loads(blob)
    inner = stored.get("config") or {}
    return Config(
        platform=f"{stored.get('os', 'linux')}/{stored.get('architecture', 'amd64')}",
        environment=dict(entry.partition("=")[::2] for entry in inner.get("Env") or ()),
        command=tuple(inner.get("Cmd") or ()),
        entrypoint=tuple(inner.get("Entrypoint") or ()),
        exposed=tuple(inner.get("ExposedPorts") or ()),
        directory=inner.get("WorkingDir") or "",
        user=inner.get("User") or "",
        labels=inner.get("Labels") or {},
        volumes=tuple(inner.get("Volumes") or ()),
        health=" ".join((inner.get("Healthcheck") or {}).get("Test", ())),
        stop_signal=inner.get("StopSignal") or "",
        history=tuple(entry.get("created_by", "") for entry in stored.get("history", ())),
    )


def _config(config: Config, layers: Sequence[bytes]) -> dict[str, Any]:
    system, _, architecture = config.platform.partition("/")
    return {
        "architecture": architecture,
        "config": _container(config),
        "created": NEVER,
        "history": [{"created": NEVER, "created_by": line} for line in config.history],
        "os": system,
        "rootfs": {"type": "layers", "diff_ids": [digest(content) for content in layers]},
    }


def _container(config: Config) -> dict[str, Any]:
    said = {
        "Env": [f"{key}={value}" for key, value in sorted(config.environment.items())],
        "Cmd": list(config.command),
        "Entrypoint": list(config.entrypoint),
        "ExposedPorts": {port: {} for port in sorted(config.exposed)},
        "WorkingDir": config.directory,
        "User": config.user,
        "Labels": dict(sorted(config.labels.items())),
        "Volumes": {volume: {} for volume in sorted(config.volumes)},
        "Healthcheck": {"Test": config.health.split(" ")} if config.health else {},
        "StopSignal": config.stop_signal,
    }
    return {key: value for key, value in said.items() if value}


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": digest(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
