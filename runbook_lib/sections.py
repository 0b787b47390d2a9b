"""The sections of the parameters, and what a value of each key must be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from runbook_lib.suggest import did_you_mean

AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
Cidr = Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]
Arn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:")]
Port = Annotated[int, Field(ge=1, le=65535)]
Branch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*$")]
FullName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]+$")]
ProbePath = Annotated[str, StringConstraints(pattern=r"^/[^\s,]*$")]
Placeholder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]

PURPOSES = ("execution", "task", "build", "pipeline", "events", "deploy")  # of the roles that work for us
WANTED = {
    "account": "12 digits in quotes",
    "region": "a region such as us-east-1",
    "name": "a short name: lower-case letters, digits and hyphens, at most 20, starting with a letter",
    "connection": "the ARN of a connection that a person has completed in the console",
    "full_name": "owner/repository",
    "repository.full_name": "owner/repository",
    "pipeline.placeholder": "a name without angle brackets, such as IMAGE1_NAME",
}


# Faults that a sandbox can be told to have: one file each; these two files serve all of them.
SCENARIOS = Path(__file__).parent / "sandbox" / "scenarios"
SERVING_ALL = ("common", "unplayed")


def scenarios() -> tuple[str, ...]:
    """The names of the faults that come along."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml") if path.stem not in SERVING_ALL))


class Section(BaseModel):
    """A part of the parameters: unknown keys and wrong types are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Network(Section):
    """Where the tasks and the load balancer live."""

    cidr: Cidr = "10.20.0.0/16"
    zones: Annotated[int, Field(ge=2, le=3)] = 2
    egress: Literal["public_ip", "nat"] = "public_ip"
    production_from: Cidr = "0.0.0.0/0"
    test_from: Cidr = "10.20.0.0/16"

    @model_validator(mode="after")
    def _test_listener_is_not_public(self) -> Network:
        if self.test_from == "0.0.0.0/0":
            raise ValueError("test_from: the test listener shows unreleased versions: name a network, never 0.0.0.0/0")
        return self


class Repository(Section):
    """The source of the pipeline: a repository of CodeCommit, or one of a git host behind a connection.

    `remote` is where the runbooks read and push by git: a URL or a path; left out, GitHub's.  Credentials are those of
    the person's own git configuration and never stand here.
    """

    provider: Literal["codecommit", "github"] = "codecommit"
    name: str | None = None
    branch: Branch = "main"
    connection: Arn | None = None
    full_name: FullName | None = None
    remote: str | None = None
    artifact: Literal["CODE_ZIP", "CODEBUILD_CLONE_REF"] = "CODE_ZIP"

    @model_validator(mode="after")
    def _a_git_host_is_named(self) -> Repository:
        given = {"connection": self.connection, "full_name": self.full_name}
        if self.provider == "github":
            missing = [key for key, value in given.items() if value is None]
            if missing:
                raise ValueError(f"{missing[0]}: must be named when provider is github: {WANTED[missing[0]]}")
        return self

    @field_validator("remote")
    @classmethod
    def _remote_holds_no_credentials(cls, value: str | None) -> str | None:
        if value and (value.startswith("-") or re.match(r"(https?://[^/]*@|[a-z+]+://[^/@]*:[^/]*@)", value)):
            raise ValueError("a URL or a path without user and password: git finds them in its own configuration")
        return value


class HealthCheck(Section):
    """How the load balancer decides that a target is healthy (ELB guide, target-group-health-checks)."""

    path: str | None = None
    interval_seconds: Annotated[int, Field(ge=5, le=300)] = 10
    timeout_seconds: Annotated[int, Field(ge=2, le=120)] = 5
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    codes: str = "200"


class Balancer(Section):
    """The load balancer, its production and its test listener."""

    production_port: Port = 80
    test_port: Port = 9001
    certificate: Arn | None = None
    deregistration_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    health: HealthCheck = HealthCheck()


class Service(Section):
    """The ECS service: size and number of its tasks."""

    cpu: Literal["256", "512", "1024", "2048", "4096"] = "256"
    memory: str = "512"
    desired_count: Annotated[int, Field(ge=1, le=100)] = 2
    container: str | None = None
    port: Port | None = None
    grace_seconds: Annotated[int, Field(ge=0)] = 30
    keep_rolling_service_days: Annotated[int, Field(ge=0)] = 7


class Build(Section):
    """The CodeBuild project."""

    image: str = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
    compute: str = "BUILD_GENERAL1_SMALL"
    timeout_minutes: Annotated[int, Field(ge=5, le=2160)] = 20


class Pipeline(Section):
    """The pipeline; the placeholder wears angle brackets in taskdef.json and none in the pipeline's field."""

    placeholder: Placeholder = "IMAGE1_NAME"
    type: Literal["V1", "V2"] = "V2"
    mode: Literal["SUPERSEDED", "QUEUED"] = "SUPERSEDED"


class Release(Section):
    """How a new version takes the traffic, and how long going back stays instant."""

    traffic: Literal["linear", "canary", "all_at_once"] = "linear"
    step_percent: Annotated[int, Field(ge=1, le=99)] = 10
    step_minutes: Annotated[int, Field(ge=1, le=1440)] = 1
    ready_wait_minutes: Annotated[int, Field(ge=0, le=2880)] = 0
    # Two sources give 2880 and 2800 minutes as the limit: the smaller one is safe with both.
    termination_wait_minutes: Annotated[int, Field(ge=0, le=2800)] = 30
    limit_minutes: Annotated[int, Field(ge=1)] = 180
    # act: a version that is worse is stopped and rolled back; report: it is only told (dry); off: nobody compares
    judge: Literal["act", "report", "off"] = "act"
    # what happens where the traffic cannot tell, before the last step of the shift: chosen beforehand, for CodeDeploy
    # cannot wait longer
    when_inconclusive: Literal["go_on", "stop"] = "go_on"
    watch_minutes: Annotated[int, Field(ge=0, le=1440)] = 5  # how long it is followed once it has all traffic
    failed_starts: Annotated[int, Field(ge=1, le=200)] = 3  # tasks of the new version that may fail to start
    # a Lambda function that validates green before production traffic, made by the runbook and named in the AppSpec
    hook: Literal["none", "AfterAllowTestTraffic", "BeforeAllowTraffic"] = "none"
    # where the hook asks from, where the test listener is closed to the rest of the world; both or none
    hook_subnets: tuple[SubnetId, ...] = ()
    hook_security_groups: tuple[GroupId, ...] = ()
    probe: bool = False  # own probes: this machine must reach both listeners
    probe_version_header: str = "X-Version"  # of an answer: which version it is of
    probe_paths: tuple[ProbePath, ...] = ("/",)
    probe_requests: Annotated[int, Field(ge=1, le=1000)] = 20  # to each path, by the hook and by own probes
    probe_failed_percent: Annotated[float, Field(ge=0, lt=100)] = 5.0  # that may fail
    hook_minutes: Annotated[int, Field(ge=1, le=60)] | None = None  # a hook that answers later ends the release
    suspend_scaling: bool = True

    @model_validator(mode="after")
    def _hook_has_subnets_and_groups(self) -> Release:
        if bool(self.hook_subnets) != bool(self.hook_security_groups):
            raise ValueError("hook_subnets and hook_security_groups: both or none, as Lambda wants them")
        return self


class Alarms(Section):
    """What stops a release: the share of failed requests and the latency of each target group."""

    error_percent: Annotated[float, Field(gt=0, le=100)] = 5.0
    latency_p99_seconds: Annotated[float, Field(gt=0)] = 1.0
    minimum_requests: Annotated[int, Field(ge=1)] = 20
    evaluation_minutes: Annotated[int, Field(ge=1, le=60)] = 3
    breaching_minutes: Annotated[int, Field(ge=1, le=60)] = 2

    @model_validator(mode="after")
    def _breaching_fits(self) -> Alarms:
        if self.breaching_minutes > self.evaluation_minutes:
            raise ValueError("breaching_minutes: at most evaluation_minutes")
        return self


class Objective(Section):
    """The service level objective: what users were promised, over how many days it is counted, and what of it a
    release must be able to see before a new version has all the traffic, and how surely.
    """

    availability_percent: Annotated[float, Field(gt=0, lt=100)] = 99.9  # requests without a 5xx
    latency_ms: Annotated[float, Field(gt=0)] = 300.0  # slower is slow
    latency_percent: Annotated[float, Field(gt=0, lt=100)] = 99.0  # requests that are not slow
    window_days: Annotated[int, Field(ge=1, le=90)] = 30
    error_rise_percent: Annotated[float, Field(gt=0, le=100)] = 1.0  # percentage points of failed requests
    latency_factor: Annotated[float, Field(gt=1, le=100)] = 1.25  # 1.25: every request takes a quarter longer
    chance: Annotated[float, Field(gt=0, lt=1)] = 0.8


# USD of a thing: no price is below zero, and none is "not a number".
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(Section):
    """Prices in USD with the day they were looked up; check them against the price list of your region."""

    as_of: str = "2026-03-02"
    fargate_vcpu_hour: Price = 0.04048
    fargate_gb_hour: Price = 0.004445
    fargate_arm_vcpu_hour: Price = 0.03238
    fargate_arm_gb_hour: Price = 0.00356
    balancer_hour: Price = 0.0225
    public_ipv4_hour: Price = 0.005
    nat_hour: Price = 0.045
    alarm_month: Price = 0.10
    pipeline_month: Price = 1.0
    registry_gb_month: Price = 0.10
    athena_terabyte: Price = 5.0  # 10**12 bytes that queries read (athena.guide, Athena basics: pricing model)


class Disturbance(Section):
    """What happens to all versions alike from so many minutes after the world's beginning: a dependency, a burst."""

    after_minutes: Annotated[int, Field(ge=0)]
    minutes: Annotated[int, Field(ge=1)]
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    latency_factor: Annotated[float, Field(gt=0)] = 1.0
    requests_factor: Annotated[float, Field(ge=0)] = 1.0


class Sandbox(Section):
    """The embedded AWS: its clock, its traffic and how much it hurts."""

    clock: Literal["virtual", "scaled"] = "virtual"
    scale: Annotated[float, Field(gt=0, le=3600)] = 60.0
    traffic: Literal["modelled", "live"] = "modelled"
    requests_per_second: Annotated[float, Field(ge=0, le=100_000)] = 50.0
    seed: int = 1
    realism: bool = True
    disturbances: tuple[Disturbance, ...] = ()
    allow_commands: tuple[str, ...] = ()
    scenario: str | None = None  # a fault to play: its name, or the path of a file

    @field_validator("scenario")
    @classmethod
    def _scenario_is_known(cls, value: str | None) -> str | None:
        if value is None or value in scenarios() or (value.endswith((".yaml", ".yml")) and Path(value).is_file()):
            return value
        near = [name for name in scenarios() if name.startswith(f"{value}-")]
        hint = did_you_mean(value, scenarios(), otherwise="notebooks/reference/faults.md lists them")
        raise ValueError(f"a fault, or the path of its file: {f'did you mean {near[0]}?' if near else hint}")

    @model_validator(mode="before")
    @classmethod
    def _live_traffic_needs_the_wall(cls, given: Any) -> Any:
        # Chosen where nobody chose: real requests flow by the wall's time.
        if isinstance(given, dict) and given.get("traffic") == "live" and "clock" not in given:
            return {**given, "clock": "scaled"}
        return given

    @model_validator(mode="after")
    def _live_traffic_has_a_scaled_clock(self) -> Sandbox:
        if self.traffic == "live" and self.clock != "scaled":
            raise ValueError("sandbox.clock: scaled with live traffic, which flows by the wall's time")
        return self


class Existing(Section):
    """What was there before the runbooks, by its own names; what is left out has the name that the runbooks give.

    `runbook init` fills it in.  `roles` are ARNs by purpose (execution, task, build, pipeline, events, deploy);
    `vpc`, `subnets` and `security_groups` are the ids of what the tasks live in.
    """

    vpc: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    cluster: str | None = None
    service: str | None = None
    rolling_service: str | None = None
    family: str | None = None
    log_group: str | None = None
    registry: str | None = None
    project: str | None = None
    pipeline: str | None = None
    artifacts_bucket: str | None = None
    rule: str | None = None
    application: str | None = None
    group: str | None = None
    alarms: tuple[str, ...] | None = None
    balancer: str | None = None
    target_groups: tuple[str, str] | None = None
    rolling_target_group: str | None = None
    roles: dict[str, Arn] = {}

    @field_validator("roles")
    @classmethod
    def _roles_have_a_purpose(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(PURPOSES))
        if unknown:
            raise ValueError(f"roles by their purpose ({', '.join(PURPOSES)}), not {unknown[0]}")
        return value


class Owned(Section):
    """A resource that a stack owns: no plan changes it before a person says here that it may."""

    resource: Arn
    by: str
    consent: bool = False
