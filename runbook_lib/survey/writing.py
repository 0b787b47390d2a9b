"""Writes what was found as a parameter file: the names of what is there, and who owns what of it.

Values that the parameters cannot hold (a service with no task, a port that nobody maps) are left out with the reason.
The text is read back with the parameters' own rules before anybody gets it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib import params, sections, yamlfile
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.survey.found import Found, Source

HOST = "CodeStarSourceConnection"  # a git host behind a connection, as CodePipeline calls it
NAME = re.compile(r"[^a-z0-9]+")
LONGEST_NAME = 20
BARE = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
# What a YAML reader somewhere takes for something else than text.
WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
CHECK = ("path", "interval_seconds", "timeout_seconds", "healthy_threshold", "unhealthy_threshold", "codes")


def own_name(found: Found) -> str:
    """The prefix of what the runbooks will make: the service's name, as short and plain as it must be."""
    plain = NAME.sub("-", found.service.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"s-{plain}")[:LONGEST_NAME].strip("-")


def parameters(found: Found, *, target: str, profile: str | None = None) -> str:
    """The parameter file of an existing service; raises BadInput when the parameters would refuse it."""
    text = "\n".join(_lines(found, target, profile)) + "\n"
    params.validated(yamlfile.parse(text, file="the parameters that were read"))
    return text


def _lines(found: Found, target: str, profile: str | None) -> Iterator[str]:
    yield f"# {found.service} in the cluster {found.cluster}, as `runbook init` found it: nothing of it was changed."
    yield "# Read it through; what is left out has its default (`runbook params show -f FILE` lists them all)."
    yield from (f"# Could not be read, and may be missing below: {what}" for what in found.unread)
    top = {"target": target, "account": found.account, "region": found.region}
    top |= {"partition": found.partition} if found.partition != "aws" else {}
    top |= {"profile": profile} if profile else {}
    yield from _entries(top)
    yield ""
    yield f"name: {_scalar(own_name(found))} # prefix of what the runbooks make beside what is there"
    yield "# application: ../my-app # a checkout of the repository: 20 and 21 read its files"
    yield "# approver: jane.doe # who answers for the gates; on AWS it has no default"
    yield from _section("existing", _existing(found), "what is there already, by its names")
    yield from _owned(found)
    yield from _section("network", {"egress": "public_ip" if found.public_ip else "nat"})
    yield from _source(found.pipeline.source if found.pipeline else None, target)
    yield from _section("balancer", _balancer(found))
    yield from _section("service", _service(found))
    yield from _section("pipeline", _pipeline(found))
    yield from _section("release", _release(found))


def _existing(found: Found) -> dict[str, Any]:
    group, delivery = found.group, found.pipeline
    image = image_uri(found.definition.image)
    names = [one.name for one in found.target_groups]
    told: dict[str, Any] = {
        "vpc": found.vpc,
        "subnets": list(found.subnets),
        "security_groups": list(found.security_groups),
        "cluster": found.cluster,
        "rolling_service" if found.rolls else "service": found.service,
        "family": found.definition.family,
        "log_group": found.definition.log_group,
        "registry": image.repository if image and image.account else "",
        "project": delivery.project if delivery else "",
        "pipeline": delivery.name if delivery else "",
        "artifacts_bucket": delivery.bucket if delivery else "",
        "rule": next(iter(delivery.rules), "") if delivery else "",
        "application": group.application if group else "",
        "group": group.name if group else "",
        "balancer": found.balancer,
        "rolling_target_group": names[0] if names and found.rolls else "",
        "target_groups": list(group.pair) if group and len(group.pair) == 2 else [],
    }
    told = {key: value for key, value in told.items() if value}
    told |= {"alarms": list(group.alarms)} if group else {}
    return told | ({"roles": dict(found.roles)} if found.roles else {})


def _owned(found: Found) -> Iterator[str]:
    yield ""
    if not found.owned:
        yield "# No tag says that a stack owns any of it. Terraform leaves tags only where somebody asked it to."
        yield "# List here what you know better: a resource that stands here is changed by no plan without consent."
        yield "owned: []"
        return
    yield "# Not ours: a stack owns these, and no plan changes them while consent is false."
    yield "# With consent: true plans may; the next run of the stack may undo it, so teach the stack first."
    yield "owned:"
    for part in found.owned:
        yield f"  - resource: {_scalar(part.arn)} # {part.kind} {part.name}"
        yield f"    by: {_scalar(part.owner or '')}"
        yield "    consent: false"


def _source(source: Source | None, target: str) -> Iterator[str]:
    if source and source.provider == HOST and target == "sandbox":
        # A sandbox reaches no git host, and only a person knows where the repository lies on this machine.
        yield f"\n# repository: {source.repository} of a git host: name provider, connection, full_name and remote"
        return
    yield from _section("repository", _repository(source) if source else {})


def _repository(source: Source) -> dict[str, Any]:
    told: dict[str, Any] = {"branch": source.branch} if source.branch else {}
    if source.provider == "CodeCommit":
        told = {"name": source.repository, **told}
    elif source.provider == HOST:
        told = {"provider": "github", "connection": source.connection, "full_name": source.repository, **told}
    else:
        return {}
    kept = source.artifact in ("CODE_ZIP", "CODEBUILD_CLONE_REF")
    return told | ({"artifact": source.artifact} if kept else {})


def _balancer(found: Found) -> dict[str, Any]:
    production, test = found.production, found.test
    told: dict[str, Any] = {"production_port": production.port} if production else {}
    told |= {"certificate": production.certificate} if production and production.certificate else {}
    told |= {"test_port": test.port} if test else {}
    if found.target_groups:
        health = found.target_groups[0].health
        values = (
            health.get("HealthCheckPath"),
            health.get("HealthCheckIntervalSeconds"),
            health.get("HealthCheckTimeoutSeconds"),
            health.get("HealthyThresholdCount"),
            health.get("UnhealthyThresholdCount"),
            health.get("Matcher", {}).get("HttpCode"),
        )
        check = {key: value for key, value in zip(CHECK, values, strict=True) if value is not None}
        told |= {"health": _fitting(sections.HealthCheck, check)}
    return told


def _service(found: Found) -> dict[str, Any]:
    definition = found.definition
    told = {
        "cpu": definition.cpu,
        "memory": definition.memory,
        "desired_count": found.desired,
        "container": found.container,
        "port": found.port,
        "grace_seconds": found.grace,
    }
    return _fitting(sections.Service, {key: value for key, value in told.items() if value != ""})


def _pipeline(found: Found) -> dict[str, Any]:
    delivery = found.pipeline
    if delivery is None:
        return {}
    told = {"placeholder": delivery.placeholder, "type": delivery.kind, "mode": delivery.mode}
    return _fitting(sections.Pipeline, {key: value for key, value in told.items() if value})


def _release(found: Found) -> dict[str, Any]:
    group = found.group
    if group is None:
        return {}
    kinds = {"TimeBasedCanary": "canary", "TimeBasedLinear": "linear", "AllAtOnce": "all_at_once"}
    kind = kinds.get(str(group.routing.get("type")), "")
    told: dict[str, Any] = {"traffic": kind} if kind else {}
    steps = group.routing.get(f"timeBased{kind.capitalize()}", {})
    for key, name in (("step_percent", "Percentage"), ("step_minutes", "Interval")):
        value = steps.get(f"{kind if kind == 'canary' else 'linear'}{name}")
        told |= {key: value} if value else {}
    told |= {"ready_wait_minutes": group.ready_wait, "termination_wait_minutes": group.termination_wait}
    return _fitting(sections.Release, told)


def _fitting(model: type[sections.Section], told: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the parameters can hold; one that they cannot keeps its default, and a comment says so."""
    return {key: value if _fits(model, key, value) else _Left(value) for key, value in told.items()}


def _fits(model: type[sections.Section], key: str, value: Any) -> bool:
    from pydantic import ValidationError

    try:
        model.model_validate({key: value})
    except ValidationError:
        return False
    return True


class _Left:
    """A value that the parameters cannot hold."""

    def __init__(self, value: Any) -> None:
        self.value = value


# ---- YAML


def _section(name: str, told: Mapping[str, Any], comment: str = "") -> Iterator[str]:
    if told:
        yield ""
        yield f"{name}: # {comment}" if comment else f"{name}:"
        if all(isinstance(value, _Left) for value in told.values()):
            yield "  {}"
        yield from _entries(told, "  ")


def _entries(told: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in told.items():
        if isinstance(value, _Left):
            yield f"{before}# {key}: {value.value} # as it is now; the parameters cannot hold it, the default counts"
        elif isinstance(value, Mapping):
            yield f"{before}{key}:"
            yield from _entries(value, f"{before}  ")
        elif isinstance(value, list):
            yield f"{before}{key}: [{', '.join(map(_scalar, value))}]"
        else:
            yield f"{before}{key}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    """A value as YAML, in quotes wherever a reader could take the text for something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    bare = BARE.fullmatch(value) and value.lower() not in WORDS
    is_arn = value.startswith("arn:") and not re.search(r"[\s#]", value)
    return value if bare or is_arn else json.dumps(value)
