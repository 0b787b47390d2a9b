"""What somebody wishes to make and has not made yet: AWS refuses most of it, so that it can be asked about only before.

The requests are those of CreateDeploymentGroup, CreateService and UpdatePipeline, as the AWS CLI takes them by
--cli-input-json; an answer of the describing calls has the same keys and does as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook_lib.documents.source import read
from runbook_lib.errors import BadInput
from runbook_lib.preflight.live import Names

# In what an answer wraps the thing itself.
WRAPPED = {"group": "deploymentGroupInfo", "service": "service", "pipeline": "pipeline"}
WANTED = {
    "group": ("deploymentGroupName", "an input of `aws codedeploy create-deployment-group`"),
    "service": ("serviceName", "an input of `aws ecs create-service`"),
}


@dataclass(frozen=True)
class Wish:
    """Requests that are not made yet; None where nothing is wished for."""

    group: Mapping[str, Any] | None = None
    service: Mapping[str, Any] | None = None
    pipeline: Mapping[str, Any] | None = None

    def named(self, names: Names) -> Names:
        """The names of the system with those of the wish in their place: the group's own service, for one."""
        if self.group:
            services = self.group.get("ecsServices") or [{}]
            names = replace(
                names,
                application=self.group.get("applicationName", names.application),
                group=self.group.get("deploymentGroupName", names.group),
                service=services[0].get("serviceName", names.service),
                cluster=services[0].get("clusterName", names.cluster),
            )
        if self.service:
            cluster = str(self.service.get("cluster", names.cluster)).rpartition("/")[2]
            names = replace(names, service=self.service.get("serviceName", names.service), cluster=cluster)
        return names


def of_call(call: str, arguments: Mapping[str, Any]) -> Wish:
    """The wish that a call in boto3's words would fulfil; raises KeyError for one that is none of the three."""
    kind = {
        "codedeploy:create_deployment_group": "group",
        "codedeploy:update_deployment_group": "group",
        "ecs:create_service": "service",
        "codepipeline:update_pipeline": "pipeline",
    }[call]
    inner = arguments["pipeline"] if kind == "pipeline" else arguments
    return Wish(**{kind: inner})


def read_wish(group: Path | None, service: Path | None) -> Wish:
    """The wishes of files; raises BadInput for one that is no such request."""
    return Wish(_file("group", group) if group else None, _file("service", service) if service else None)


def _file(kind: str, path: Path) -> Mapping[str, Any]:
    key, wanted = WANTED[kind]
    where, next_step = path.name, "see `--generate-cli-skeleton` of that command"
    try:
        found = json.loads(read(path).text)
    except json.JSONDecodeError as error:
        raise BadInput(where=f"{where}:{error.lineno}", seen=error.msg, wanted=wanted, next_step=next_step) from None
    found = found.get(WRAPPED[kind], found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not isinstance(found.get(key), str):
        raise BadInput(where=where, seen=f"no {key}", wanted=wanted, next_step=next_step)
    return found
