"""Layers, as docker brings them one by one, and the password with which it does."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecr import lookup
from runbook_lib.sandbox.services.ecr.repositories import host
from runbook_lib.sandbox.shims.docker import password
from runbook_lib.sandbox.shims.docker.image import LAYER, digest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

PART = 20 * 1024 * 1024  # ECR API reference, InitiateLayerUpload: partSize


def authorization(call: Call) -> dict[str, Any]:
    """GetAuthorizationToken."""
    made = password.make(account=call.account, region=call.region, caller=call.caller, now=call.world.now)
    token = {
        "authorizationToken": base64.b64encode(f"AWS:{made}".encode()).decode(),
        "expiresAt": call.world.datetime(call.world.now + password.LIFETIME),
        "proxyEndpoint": f"https://{host(call.account, call.region, call.world.settings.partition)}",
    }
    return {"authorizationData": [token]}


def availability(call: Call) -> dict[str, Any]:
    """BatchCheckLayerAvailability."""
    layers = lookup.repository(call).layers
    return {"layers": [_layer(layers, name) for name in call.params["layerDigests"]], "failures": []}


def _layer(layers: dict[str, bytes], name: str) -> dict[str, Any]:
    if name not in layers:
        return {"layerDigest": name, "layerAvailability": "UNAVAILABLE"}
    shown = {"layerDigest": name, "layerAvailability": "AVAILABLE", "mediaType": LAYER}
    return {**shown, "layerSize": len(layers[name])}


def initiate(call: Call) -> dict[str, Any]:
    """InitiateLayerUpload."""
    upload = call.world.ids.uuid("layer upload")
    lookup.repository(call).uploads[upload] = b""
    return {"uploadId": upload, "partSize": PART}


def upload_part(call: Call) -> dict[str, Any]:
    """UploadLayerPart: parts come in order."""
    repository, upload = lookup.repository(call), _upload(call)
    received = repository.uploads[upload]
    if call.params["partFirstByte"] != len(received):
        raise AwsError(
            "InvalidLayerPartException",
            f"The layer part sent is not valid for the upload with id '{upload}': last byte received is "
            f"{len(received) - 1}",
            lastValidByteReceived=len(received) - 1,
        )
    repository.uploads[upload] = received + call.params["layerPartBlob"]
    last = len(repository.uploads[upload]) - 1
    return {
        "registryId": call.account,
        "repositoryName": repository.name,
        "uploadId": upload,
        "lastByteReceived": max(last, 0),
    }


def complete(call: Call) -> dict[str, Any]:
    """CompleteLayerUpload: the digest must be that of what came."""
    repository, upload = lookup.repository(call), _upload(call)
    content, wanted = repository.uploads[upload], call.params["layerDigests"]
    name = digest(content)
    if name not in wanted:
        raise AwsError(
            "InvalidLayerException", f"Layer digest '{name}' of the uploaded parts is not in the list: {wanted}"
        )
    if name in repository.layers:
        raise AwsError(
            "LayerAlreadyExistsException",
            f"Layer with digest '{name}' already exists in the {lookup.place(repository, call.account)}",
        )
    repository.layers[name] = repository.uploads.pop(upload)
    return {
        "registryId": call.account,
        "repositoryName": repository.name,
        "uploadId": upload,
        "layerDigest": name,
    }


def _upload(call: Call) -> str:
    wanted: str = call.params["uploadId"]
    repository = lookup.repository(call)
    if wanted not in repository.uploads:
        raise AwsError(
            "UploadNotFoundException",
            f"The upload with id '{wanted}' could not be found in the {lookup.place(repository, call.account)}",
        )
    return wanted


def download_url(call: Call) -> dict[str, Any]:
    """GetDownloadUrlForLayer: the layer itself, as a data URL; there is no host to download it from."""
    repository, wanted = lookup.repository(call), call.params["layerDigest"]
    if wanted not in repository.layers:
        raise AwsError("LayersNotFoundException", f"The layer with digest '{wanted}' does not exist")
    content = base64.b64encode(repository.layers[wanted]).decode()
    return {"downloadUrl": f"data:application/octet-stream;base64,{content}", "layerDigest": wanted}


OPERATIONS = {
    "GetAuthorizationToken": authorization,
    "BatchCheckLayerAvailability": availability,
    "InitiateLayerUpload": initiate,
    "UploadLayerPart": upload_part,
    "CompleteLayerUpload": complete,
    "GetDownloadUrlForLayer": download_url,
}
