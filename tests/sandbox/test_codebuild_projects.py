"""Build projects: made, read, listed, changed, taken away, and what AWS refuses of them and of their builds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from codebuild_stage import CASES, IMAGE, NAME, RESULTS, Stage, environment, fresh, refusal
from ecs_stage import Refusal, filled, make_role, refusals

from runbook_lib.sandbox import Settings

KEYS = json.loads((CASES / "keys.json").read_text(encoding="utf-8"))
PIPED = {"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}
REFUSED = refusals("codebuild")


@pytest.fixture
def stage() -> Stage:
    return fresh()


@pytest.fixture(scope="module")
def refusing() -> Stage:
    """A world with a project of its own and one of a pipeline; refused calls change nothing."""
    stage = fresh()
    stage.create()
    stage.create(name="piped", **PIPED)
    make_role(stage.world, "tasks")
    stage.wait(60)
    return stage


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_refuses_is_refused_in_its_words(refusing: Stage, case: Refusal) -> None:
    """Each case is a file: an operation, its parameters, the code and a part of the message."""
    names = {**refusing.project(), "role": refusing.role}
    code, message = refusal(getattr(refusing.cb, case.operation), **filled(case.params, names))
    assert code == case.code
    assert case.message in message


def test_refused_calls_leave_nothing_behind(refusing: Stage) -> None:
    """No project, no build, no change."""
    for case in REFUSED:
        refusal(getattr(refusing.cb, case.values[0].operation), **_params(refusing, case))
    assert refusing.cb.list_projects()["projects"] == [NAME, "piped"]
    assert refusing.cb.list_builds().get("ids", []) == []
    assert refusing.cb.batch_get_projects(names=[NAME])["projects"][0]["timeoutInMinutes"] == 60


def _params(stage: Stage, case: Any) -> dict[str, Any]:
    found: dict[str, Any] = filled(case.values[0].params, {**stage.project(), "role": stage.role})
    return found


def test_a_project_is_answered_with_what_codebuild_adds(stage: Stage) -> None:
    """Times, defaults and the ARN; reading gives the same."""
    made = stage.create(**PIPED)
    assert sorted(made) == sorted(KEYS["project"])
    assert sorted(made["artifacts"]) == KEYS["project.artifacts"]
    assert sorted(made["environment"]) == KEYS["project.environment"]
    assert (made["timeoutInMinutes"], made["queuedTimeoutInMinutes"], made["cache"]) == (60, 480, {"type": "NO_CACHE"})
    assert made["arn"] == f"arn:aws:codebuild:us-east-1:123456789012:project/{NAME}"
    assert stage.cb.batch_get_projects(names=[NAME])["projects"] == [made]


def test_artifacts_are_called_as_the_project_unless_they_have_a_name(stage: Stage) -> None:
    """What S3 artifacts do not say is shown as CodeBuild takes it."""
    made = stage.create(artifacts={"type": "S3", "location": RESULTS, "packaging": "ZIP"})
    assert made["artifacts"] == {
        "type": "S3",
        "location": RESULTS,
        "name": NAME,
        "packaging": "ZIP",
        "namespaceType": "NONE",
    }
    changed = stage.cb.update_project(name=NAME, artifacts={"type": "NO_ARTIFACTS"})["project"]
    assert changed["artifacts"] == {"type": "NO_ARTIFACTS"}


def test_variables_of_a_project_have_a_type(stage: Stage) -> None:
    """PLAINTEXT where none was said."""
    made = stage.create(environment=environment(GREETING="hello"))
    assert made["environment"]["environmentVariables"] == [{"name": "GREETING", "value": "hello", "type": "PLAINTEXT"}]


def test_projects_are_read_by_name_and_by_arn(stage: Stage) -> None:
    """Those that are not there are named."""
    arn = stage.create()["arn"]
    found = stage.cb.batch_get_projects(names=[arn, "nobody"])
    assert [one["name"] for one in found["projects"]] == [NAME]
    assert found["projectsNotFound"] == ["nobody"]
    assert stage.cb.batch_get_projects(names=["nobody"])["projects"] == []


def test_projects_are_listed_by_name_or_by_age(stage: Stage) -> None:
    """In either direction."""
    for name in ("beta", "alpha", "gamma"):
        stage.create(name=name)
        stage.wait(1)
    stage.cb.update_project(name="beta", description="changed")
    assert stage.cb.list_projects()["projects"] == ["alpha", "beta", "gamma"]
    assert stage.cb.list_projects(sortOrder="DESCENDING")["projects"] == ["gamma", "beta", "alpha"]
    assert stage.cb.list_projects(sortBy="CREATED_TIME")["projects"] == ["beta", "alpha", "gamma"]
    assert stage.cb.list_projects(sortBy="LAST_MODIFIED_TIME")["projects"] == ["alpha", "gamma", "beta"]


def test_projects_are_listed_a_hundred_a_page(stage: Stage) -> None:
    """A token leads to the rest; where there is none, there is nothing more."""
    assert stage.cb.list_projects().get("projects", []) == []
    for number in range(101):
        stage.create(name=f"project-{number:03}")
    pages = list(stage.cb.get_paginator("list_projects").paginate())
    assert [len(page["projects"]) for page in pages] == [100, 1]
    assert "nextToken" not in pages[-1]


def test_an_update_changes_what_it_names(stage: Stage) -> None:
    """The rest stays, and so does the time of the making."""
    made = stage.create(tags=[{"key": "team", "value": "orders"}])
    stage.wait(30)
    changed = stage.cb.update_project(name=NAME, description="new", timeoutInMinutes=20)["project"]
    assert (changed["description"], changed["timeoutInMinutes"]) == ("new", 20)
    assert (changed["lastModified"] - changed["created"]).total_seconds() == 30
    kept = ("source", "artifacts", "environment", "serviceRole", "tags", "created")
    assert [changed[key] for key in kept] == [made[key] for key in kept]


def test_a_limit_of_builds_is_taken_away_again(stage: Stage) -> None:
    """With the number that the API has for it."""
    assert stage.create(concurrentBuildLimit=1)["concurrentBuildLimit"] == 1
    assert "concurrentBuildLimit" not in stage.cb.update_project(name=NAME, concurrentBuildLimit=-1)["project"]


def test_a_deleted_project_is_gone_and_its_builds_are_not(stage: Stage) -> None:
    """Deleting what is not there is no error."""
    stage.create()
    build = stage.run()["id"]
    for _ in range(2):
        stage.cb.delete_project(name=NAME)
    assert stage.cb.batch_get_projects(names=[NAME])["projectsNotFound"] == [NAME]
    assert stage.cb.list_builds()["ids"] == [build]
    assert stage.shown(build)["buildStatus"] == "SUCCEEDED"


def test_the_cache_of_a_project_can_be_thrown_away(stage: Stage) -> None:
    """There is none in the sandbox, and saying so is no error."""
    stage.create()
    answer = stage.cb.invalidate_project_cache(projectName=NAME)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_role_that_was_made_a_moment_ago_is_refused() -> None:
    """It is not known everywhere yet; seconds later it is."""
    stage = fresh()
    iam = stage.world.client("iam")
    trust = iam.get_role(RoleName="build")["Role"]["AssumeRolePolicyDocument"]
    role = iam.create_role(RoleName="new", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    code, message = refusal(stage.cb.create_project, **stage.project(serviceRole=role))
    assert (code, message) == (
        "InvalidInputException",
        f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}",
    )
    stage.wait(Settings().role_propagation)
    assert stage.create(serviceRole=role)["serviceRole"] == role


def test_a_project_keeps_its_image_and_its_privilege(stage: Stage) -> None:
    """Docker needs the privilege, and the answer says whether it is given."""
    made = stage.create(environment=environment(privilegedMode=True))
    assert (made["environment"]["image"], made["environment"]["privilegedMode"]) == (IMAGE, True)
