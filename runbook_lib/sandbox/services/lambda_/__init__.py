"""AWS Lambda: moto stores the functions, and here they run."""

from __future__ import annotations

from runbook_lib.sandbox.services.lambda_ import entrance, functions, invoking, queue, running, workplace
from runbook_lib.sandbox.services.lambda_.access import service_may
from runbook_lib.sandbox.services.lambda_.functions import find
from runbook_lib.sandbox.services.lambda_.queue import send
from runbook_lib.sandbox.services.lambda_.store import Function, LambdaStore

__all__ = ["HANDLERS", "MOTO", "OPERATIONS", "STORE", "WSGI", "Function", "find", "send", "service_may"]

STORE = LambdaStore
OPERATIONS = {**functions.OPERATIONS, **invoking.OPERATIONS}
HANDLERS = {
    "lambda.begin": queue.begin,
    "lambda.exited": running.exited,
    "lambda.over": queue.over,
    "lambda.time_out": running.time_out,
}
WSGI = {workplace.PREFIX: entrance.application}
# What moto stores well enough.
MOTO = frozenset(
    {
        "AddLayerVersionPermission",
        "AddPermission",
        "CreateAlias",
        "CreateEventSourceMapping",
        "CreateFunctionUrlConfig",
        "DeleteAlias",
        "DeleteEventSourceMapping",
        "DeleteFunction",
        "DeleteFunctionConcurrency",
        "DeleteFunctionEventInvokeConfig",
        "DeleteFunctionUrlConfig",
        "DeleteLayerVersion",
        "GetAlias",
        "GetEventSourceMapping",
        "GetFunction",
        "GetFunctionCodeSigningConfig",
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetFunctionUrlConfig",
        "GetLayerVersion",
        "GetLayerVersionPolicy",
        "GetPolicy",
        "ListAliases",
        "ListEventSourceMappings",
        "ListFunctionEventInvokeConfigs",
        "ListFunctions",
        "ListLayerVersions",
        "ListLayers",
        "ListTags",
        "ListVersionsByFunction",
        "PublishLayerVersion",
        "PublishVersion",
        "PutFunctionConcurrency",
        "PutFunctionEventInvokeConfig",
        "RemoveLayerVersionPermission",
        "RemovePermission",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateEventSourceMapping",
        "UpdateFunctionEventInvokeConfig",
        "UpdateFunctionUrlConfig",
    }
)
