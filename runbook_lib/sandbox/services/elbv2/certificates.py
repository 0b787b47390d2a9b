"""Certificates of HTTPS listeners: the default one and those added for other names.

Source: ELB guide, https-listener-certificates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.pages import page
from runbook_lib.sandbox.services.elbv2.store import Listener, listener, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

ARN = re.compile(r"arn:aws[\w-]*:(acm:[\w-]+:\d{12}:certificate/[\w-]+|iam::\d{12}:server-certificate/[\w+=,.@/-]+)")
POLICY = "ELBSecurityPolicy-2016-08"
POLICIES = (
    POLICY,
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS-1-2-2017-01",
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06",
    "ELBSecurityPolicy-FS-1-2-2019-08",
    "ELBSecurityPolicy-FS-1-2-Res-2020-10",
)


def checked(protocol: str, params: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
    """The certificates and the security policy of a listener; raises AwsError where they do not suit its protocol."""
    arns = arns_in(params.get("Certificates", ()))
    policy = params.get("SslPolicy", POLICY)
    if protocol == "HTTP":
        if arns or "SslPolicy" in params:
            raise AwsError("InvalidConfigurationRequest", "A certificate cannot be specified for HTTP listeners")
        return (), None
    if not arns:
        raise AwsError("ValidationError", "A certificate must be specified for HTTPS listeners")
    if len(arns) > 1:
        raise AwsError("TooManyCertificates", "Exactly one certificate is required as the default certificate")
    if policy not in POLICIES:
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
    return arns, policy


def arns_in(certificates: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The ARNs of certificates; raises AwsError on one that cannot be."""
    arns = tuple(certificate.get("CertificateArn", "") for certificate in certificates)
    for arn in arns:
        if not ARN.fullmatch(arn):
            raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
    return arns


def add(call: Call) -> dict[str, Any]:
    """AddListenerCertificates."""
    found = _secure(call)
    new = arns_in(call.params["Certificates"])
    kept = (*found.certificates, *(arn for arn in new if arn not in found.certificates))
    store(call.world).listeners[found.arn] = replace(found, certificates=kept)
    return {"Certificates": [{"CertificateArn": arn} for arn in new]}


def remove(call: Call) -> dict[str, Any]:
    """RemoveListenerCertificates; the default one cannot go."""
    found = _secure(call)
    gone = arns_in(call.params["Certificates"])
    if found.certificates[0] in gone:
        raise AwsError("OperationNotPermitted", "Default certificate cannot be removed")
    kept = tuple(arn for arn in found.certificates if arn not in gone)
    store(call.world).listeners[found.arn] = replace(found, certificates=kept)
    return {}


def describe(call: Call) -> dict[str, Any]:
    """DescribeListenerCertificates."""
    found = listener(call.world, call.params["ListenerArn"])
    described = [{"CertificateArn": arn, "IsDefault": arn == found.certificates[0]} for arn in found.certificates]
    return page(described, call.params, "Certificates", dict)


def _secure(call: Call) -> Listener:
    found = listener(call.world, call.params["ListenerArn"])
    if found.protocol != "HTTPS":
        raise AwsError("CertificateNotFound", f"Listener '{found.arn}' is not an HTTPS listener")
    return found


OPERATIONS = {
    "AddListenerCertificates": add,
    "RemoveListenerCertificates": remove,
    "DescribeListenerCertificates": describe,
}
