"""Service Quotas: what an account may have of Fargate; the quotas of the VPC are moto's.

Source: AWS General Reference, ecs-service (what a new account has; unverified). The sandbox tells them and does not
hold anybody to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

FARGATE = "fargate"
# quota code -> name, value
QUOTAS: Mapping[str, tuple[str, float]] = {
    "L-3032A538": ("Fargate On-Demand vCPU resource count", 6.0),
    "L-36FBB829": ("Fargate Spot vCPU resource count", 6.0),
}
UNKNOWN = "The request failed because the specified quota does not exist."
LEFT_TO_MOTO = ("vpc",)


def get(call: Call) -> dict[str, Any]:
    """GetServiceQuota: the applied value, which is the default as long as nobody asked for more."""
    service, code = call.params["ServiceCode"], call.params["QuotaCode"]
    if service != FARGATE:
        return _from_moto(call)
    if code not in QUOTAS:
        raise AwsError("NoSuchResourceException", UNKNOWN)
    return {"Quota": _shown(call, code)}


def list_all(call: Call) -> dict[str, Any]:
    """ListServiceQuotas and ListAWSDefaultServiceQuotas of a service."""
    if call.params["ServiceCode"] != FARGATE:
        return _from_moto(call)
    return {"Quotas": [_shown(call, code) for code in QUOTAS]}


def get_default(call: Call) -> dict[str, Any]:
    """GetAWSDefaultServiceQuota."""
    return get(call)


def _from_moto(call: Call) -> dict[str, Any]:
    if call.params["ServiceCode"] not in LEFT_TO_MOTO or call.operation not in MOTOS:
        raise not_simulated(f"service-quotas.{call.operation} of {call.params['ServiceCode']}")
    return call.moto()


def _shown(call: Call, code: str) -> dict[str, Any]:
    name, value = QUOTAS[code]
    return {
        "ServiceCode": FARGATE,
        "ServiceName": "AWS Fargate",
        "QuotaArn": call.world.arn("servicequotas", f"{FARGATE}/{code}"),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


MOTOS = ("GetServiceQuota", "ListAWSDefaultServiceQuotas")
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "GetServiceQuota": get,
    "GetAWSDefaultServiceQuota": get_default,
    "ListServiceQuotas": list_all,
    "ListAWSDefaultServiceQuotas": list_all,
}
HANDLERS: dict[str, Callable[..., None]] = {}
STORE = dict
