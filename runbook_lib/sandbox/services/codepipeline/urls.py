"""Where the console shows what an action works on; the addresses are shown, never called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.codepipeline.store import ActionRun
    from runbook_lib.sandbox.world import World

CONSOLE = "https://console.aws.amazon.com"
Address = Callable[[Mapping[str, str], str], str]  # of an action's configuration and the region


def entity(world: World, made: ActionRun) -> str | None:
    """What the action works on: the repository, the project, the service or the deployment group."""
    found = _ENTITIES.get(made.kind["provider"])
    return found(made.configuration, world.settings.region) if found else None


def execution(world: World, made: ActionRun) -> str | None:
    """The build or deployment itself, None while there is none."""
    if made.external is None or made.kind["provider"] not in _EXECUTIONS:
        return None
    return CONSOLE + _EXECUTIONS[made.kind["provider"]].format(id=made.external, region=world.settings.region)


def commit(world: World, repository: str, id: str) -> str:
    """A commit of CodeCommit."""
    region = world.settings.region
    return f"https://{region}.console.aws.amazon.com/codesuite/codecommit/repositories/{repository}/commit/{id}"


_EXECUTIONS = {
    "CodeBuild": "/codebuild/home?region={region}#/builds/{id}/view/new",
    "CodeDeployToECS": "/codesuite/codedeploy/deployments/{id}?region={region}",
}


def _group(told: Mapping[str, str], region: str) -> str:
    place = f"{told['ApplicationName']}/deployment-groups/{told['DeploymentGroupName']}"
    return f"{CONSOLE}/codesuite/codedeploy/applications/{place}?region={region}"


_ENTITIES: dict[str, Address] = {
    "CodeCommit": lambda told, region: (
        f"https://{region}.console.aws.amazon.com/codesuite/codecommit/repositories/{told['RepositoryName']}"
        f"/browse/refs/heads/{told['BranchName']}/--/"
    ),
    "CodeBuild": lambda told, region: f"{CONSOLE}/codebuild/home?region={region}#/projects/{told['ProjectName']}/view",
    "ECS": lambda told, region: (
        f"{CONSOLE}/ecs/home?region={region}#/clusters/{told['ClusterName']}/services/{told['ServiceName']}"
    ),
    "CodeDeployToECS": _group,
}
