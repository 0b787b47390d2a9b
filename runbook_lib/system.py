"""The system that the runbooks work on: every name and size, resolved once from parameters and application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runbook_lib.account import Account
from runbook_lib.params import Params
from runbook_lib.sections import Existing

if TYPE_CHECKING:
    from runbook_lib.application import Application

WORLD_TAG = "runbook:world"
EXPIRES_TAG = "runbook:expires"


@dataclass(frozen=True)
class System:
    """Names and sizes of one service with its pipeline; identity only, roles (live, candidate) are read from AWS."""

    name: str
    account: str
    region: str
    partition: str
    params: Params
    application: Application
    expires: datetime

    @property
    def cluster(self) -> str:
        return self.params.existing.cluster or self.name

    @property
    def rolling_service(self) -> str:
        """The service that the reader starts from, with rolling deployments."""
        return self.params.existing.rolling_service or self.name

    @property
    def service(self) -> str:
        """The service behind CodeDeploy: a second one under a new name, for the controller cannot be switched."""
        return self.params.existing.service or f"{self.name}-bg"

    @property
    def family(self) -> str:
        return self.params.existing.family or self.name

    @property
    def container(self) -> str:
        return self.params.service.container or self.application.container

    @property
    def port(self) -> int:
        return self.params.service.port or self.application.port

    @property
    def health_path(self) -> str:
        return self.params.balancer.health.path or self.application.health_path

    @property
    def registry(self) -> str:
        """The ECR repository, named as the application's own buildspec pushes to it."""
        return self.params.existing.registry or self.application.repository

    @property
    def repository(self) -> str:
        """The name of the source: a repository of CodeCommit, or owner/repository of a git host."""
        source = self.params.repository
        return source.full_name if source.full_name and self.from_git_host else source.name or self.name

    @property
    def from_git_host(self) -> bool:
        """Whether the source is reached through a connection and by git, not by CodeCommit."""
        return self.params.repository.provider == "github"

    @property
    def remote(self) -> str:
        """Where git reads and pushes the source of a git host."""
        return self.params.repository.remote or f"https://github.com/{self.repository}.git"

    @property
    def connection(self) -> str:
        """The ARN of the connection to the git host; the parameters see that there is one."""
        return self.params.repository.connection or ""

    @property
    def branch(self) -> str:
        return self.params.repository.branch

    @property
    def project(self) -> str:
        return self.params.existing.project or f"{self.name}-build"

    @property
    def pipeline(self) -> str:
        return self.params.existing.pipeline or self.name

    @property
    def deploy_application(self) -> str:
        return self.params.existing.application or self.name

    @property
    def deploy_group(self) -> str:
        return self.params.existing.group or f"{self.name}-bg"

    @property
    def balancer(self) -> str:
        return self.params.existing.balancer or self.name

    @property
    def rolling_target_group(self) -> str:
        return self.params.existing.rolling_target_group or f"{self.name}-rolling"

    @property
    def target_groups(self) -> tuple[str, str]:
        """The pair that CodeDeploy swaps: neutral names, for live and candidate change places at every release."""
        return self.params.existing.target_groups or (f"{self.name}-a", f"{self.name}-b")

    @property
    def log_group(self) -> str:
        return self.params.existing.log_group or f"/ecs/{self.name}"

    @property
    def build_log_group(self) -> str:
        return f"/aws/codebuild/{self.project}"

    @property
    def artifacts_bucket(self) -> str:
        return self.params.existing.artifacts_bucket or f"{self.name}-artifacts-{self.account}-{self.region}"

    @property
    def access_log_bucket(self) -> str:
        return f"{self.name}-access-logs-{self.account}-{self.region}"

    @property
    def rule(self) -> str:
        """The EventBridge rule that starts the pipeline on a push."""
        return self.params.existing.rule or f"{self.name}-push"

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alarms that stop a release; each of the runbooks' own covers both target groups."""
        found = self.params.existing.alarms
        return self.own_alarms if found is None else found

    @property
    def own_alarms(self) -> tuple[str, str]:
        """The alarms that the runbooks make: on errors, and on latency."""
        return f"{self.name}-errors", f"{self.name}-latency"

    @property
    def is_adopted(self) -> bool:
        """Whether it was there before the runbooks: then it is read under its own names, and never made anew."""
        return self.params.existing != Existing()

    def role(self, purpose: str) -> str:
        """The name of a role: execution, task, build, pipeline, events or deploy."""
        found = self.params.existing.roles.get(purpose)
        return found.rpartition("/")[2] if found else f"{self.name}-{purpose}-{self.region}"

    def role_arn(self, purpose: str) -> str:
        found = self.params.existing.roles.get(purpose)
        return found or self.arn("iam", f"role/{self.role(purpose)}", regional=False)

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """The ARN of a resource of this system's account."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{resource}"

    @property
    def tags(self) -> dict[str, str]:
        """What every resource is tagged with."""
        return {**self.params.tags, WORLD_TAG: self.name, EXPIRES_TAG: self.expires.date().isoformat()}


def resolve(params: Params, application: Application, account: Account) -> System:
    """The system that these parameters and this application make on that account."""
    return System(
        name=params.name,
        account=account.id,
        region=account.region,
        partition=account.partition,
        params=params,
        application=application,
        expires=account.clock.now() + timedelta(days=params.lifetime_days),
    )


def tag_list(tags: Mapping[str, str], *, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags in the list form of most APIs; ECS, CodeBuild and CodePipeline spell the keys in lower case."""
    return [{key: name, value: text} for name, text in sorted(tags.items())]
