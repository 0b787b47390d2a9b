"""`docker push` and `docker pull` with ECR, by the calls that the real ones make (ECR user guide, docker-push)."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.shims.api import ApiRefused, Ecr
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.image import Image, digest, read_config
from runbook_lib.sandbox.shims.docker.reference import Reference
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

ECR_HOST = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
NO_CREDENTIALS = "no basic auth credentials"


class AlreadyThere(Exception):
    """The repository holds this image under this tag."""


@dataclass(frozen=True)
class Registry:
    """One repository in ECR, as the pushing or pulling child sees it."""

    ecr: Ecr
    account: str
    repository: str

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """An operation on the repository; refusals come in docker's words."""
        try:
            return self.ecr.call(operation, registryId=self.account, repositoryName=self.repository, **params)
        except ApiRefused as refused:
            if refused.code == "ImageAlreadyExistsException":
                raise AlreadyThere from None
            raise DockerError(_in_dockers_words(refused)) from None

    def missing(self, image: Image) -> list[bytes]:
        """The blobs of an image that the repository does not hold yet."""
        missing = self.unavailable([digest(blob) for blob in image.blobs])
        return [blob for blob in dict.fromkeys(image.blobs) if digest(blob) in missing]

    def unavailable(self, digests: list[str]) -> list[str]:
        """Those of some digests that the repository does not hold."""
        asked = list(dict.fromkeys(digests))
        answer = self.call("BatchCheckLayerAvailability", layerDigests=asked)
        there = {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}
        return [name for name in asked if name not in there]

    def upload(self, blob: bytes) -> None:
        """Bring one blob into the repository."""
        upload = self.call("InitiateLayerUpload")["uploadId"]
        part = {"partFirstByte": 0, "partLastByte": max(len(blob) - 1, 0), "layerPartBlob": _text(blob)}
        self.call("UploadLayerPart", uploadId=upload, **part)
        self.call("CompleteLayerUpload", uploadId=upload, layerDigests=[digest(blob)])

    def put(self, image: Image, tag: str) -> None:
        """Name the uploaded image; that it has that name already is an error of the API, and none of docker's."""
        with contextlib.suppress(AlreadyThere):
            self.call("PutImage", imageManifest=image.manifest.decode(), imageTag=tag)

    def get(self, reference: Reference) -> Image:
        """The image of a name in the repository."""
        wanted = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
        answer = self.call("BatchGetImage", imageIds=[wanted])
        if not answer["images"]:
            raise DockerError(f"Error response from daemon: manifest for {reference} not found: manifest unknown: "
                              "Requested image not found")  # fmt: skip
        manifest = json.loads(answer["images"][0]["imageManifest"])
        layers = tuple(self._blob(layer["digest"]) for layer in manifest["layers"])
        return Image(read_config(self._blob(manifest["config"]["digest"])), layers)

    def _blob(self, name: str) -> bytes:
        url = self.call("GetDownloadUrlForLayer", layerDigest=name)["downloadUrl"]
        return base64.b64decode(url.partition("base64,")[2])


def ecr_host(name: str) -> re.Match[str] | None:
    """Whether a registry's name is one of ECR's; its groups are account and region."""
    return ECR_HOST.fullmatch(name)


def registry_of(wire: Wire, reference: Reference) -> Registry:
    """The repository that a name in ECR stands for."""
    host = ecr_host(reference.registry)
    if host is None:
        raise DockerError(f"{reference.registry} is not a registry of ECR")
    return Registry(Ecr(wire, host.group(2)), host.group(1), reference.repository)


def push(wire: Wire, terminal: Terminal, image: Image, reference: Reference) -> None:
    """Upload what is missing, then the manifest; printed as docker prints it."""
    registry = registry_of(wire, reference)
    missing = {digest(blob) for blob in registry.missing(image)}
    shown = [digest(layer) for layer in reversed(image.layers)]
    for name in shown:
        terminal.say(f"{_short(name)}: Preparing")
    for blob in dict.fromkeys(image.blobs):
        if digest(blob) in missing:
            registry.upload(blob)
    for name in shown:
        terminal.say(f"{_short(name)}: {'Pushed' if name in missing else 'Layer already exists'}")
    registry.put(image, str(reference.tag))
    terminal.say(f"{reference.tag}: digest: {image.digest} size: {len(image.manifest)}")


def _in_dockers_words(refused: ApiRefused) -> str:
    known = {
        "RepositoryNotFoundException": "name unknown",
        "ImageTagAlreadyExistsException": "tag invalid",
        "AccessDeniedException": "denied",
        "UnrecognizedClientException": "denied",
    }
    return f"{known.get(refused.code, refused.code)}: {refused.message}"


def _short(name: str) -> str:
    return name.removeprefix("sha256:")[:12]


def _text(blob: bytes) -> str:
    return base64.b64encode(blob).decode()
