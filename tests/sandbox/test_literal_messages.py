"""AWS's literal messages: the sandbox says each with its code, brought to it as a user would be."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import codebuild_stage
import codedeploy_play
import codedeploy_stage
import pytest
import test_codepipeline_bluegreen as releases
import yaml
from ecs_stage import filled, refusal
from fidelity_stage import SCENES
from pipeline_stage import Stage, furnish

from runbook_lib.sandbox.services import codebuild

CASES = Path(__file__).parents[1] / "cases" / "literal.yaml"
TOLD: list[dict[str, Any]] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
NAME = codedeploy_stage.NAME
Said = tuple[str, str]
Names = dict[str, Any]


def by_group(told: Mapping[str, Any], names: Names) -> Said:
    """Creates a deployment group with changes."""
    stage = codedeploy_stage.fresh()
    stage.client("ecs").create_service(
        cluster=NAME, serviceName="rolling", taskDefinition=stage.definitions[0], desiredCount=0, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": stage.subnets}},
    )  # fmt: skip
    stage.deploy.create_application(applicationName="server")
    limited = stage.limited_role(["lambda"])
    names |= {"production": stage.production, "limited": limited, "network_pair": stage.network_pair()}
    return refusal(stage.deploy.create_deployment_group, **stage.group(**filled(told["group"], names)))


def by_call(told: Mapping[str, Any], names: Names) -> Said:
    """Asks one operation."""
    scene = SCENES[told["stage"]]()
    names |= scene.names
    if told["stage"] == "ecs":
        elb = scene.client("elbv2")
        told_group = {"Protocol": "HTTP", "Port": 80, "VpcId": names["vpc"]}
        lonely = elb.create_target_group(Name="lonely", TargetType="ip", **told_group)["TargetGroups"][0]
        names["lonely"] = lonely["TargetGroupArn"]
        instances = elb.create_target_group(Name="instances", TargetType="instance", **told_group)["TargetGroups"][0]
        names["instances"] = instances["TargetGroupArn"]
        action = {"Type": "forward", "TargetGroupArn": names["instances"]}
        elb.create_listener(LoadBalancerArn=names["balancer"], Protocol="HTTP", Port=81, DefaultActions=[action])
    service, _, operation = told["call"].partition(".")
    return refusal(getattr(scene.client(service), operation), **filled(told["with"], names))


def by_story(told: Mapping[str, Any], names: Names) -> Said:
    """Plays a deployment to its end."""
    play = codedeploy_play.begin(told["story"])
    names["limited"] = "arn:aws:iam::123456789012:role/limited"
    if "answer" in told["story"]:
        play.stage.until_event(play.id, "BeforeAllowTraffic")
        play.stage.answer(play.id, told["story"]["answer"])
    play.stage.until_over(play.id)
    error = play.stage.info(play.id)["errorInformation"]
    return error["code"], error["message"]


def by_deployment(told: Mapping[str, Any], names: Names) -> Said:
    """Creates a deployment of an AppSpec."""
    stage = codedeploy_stage.fresh()
    stage.make_group()
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": told["deployment"]}}
    params = {"applicationName": NAME, "deploymentGroupName": NAME, "revision": revision}
    return refusal(stage.deploy.create_deployment, **params)


def by_archive(told: Mapping[str, Any], names: Names) -> Said:
    """Deploys a ZIP of these files from a bucket."""
    stage = codedeploy_stage.fresh()
    stage.make_group()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in told["archive"].items():
            archive.writestr(name, text)
    stage.client("s3").create_bucket(Bucket="revisions")
    stage.client("s3").put_object(Bucket="revisions", Key="r.zip", Body=packed.getvalue())
    place = {"bucket": "revisions", "key": "r.zip", "bundleType": "zip"}
    deployment = stage.start(revision={"revisionType": "S3", "s3Location": place})
    stage.until_over(deployment)
    error = stage.info(deployment)["errorInformation"]
    return error["code"], error["message"]


def by_release(told: Mapping[str, Any], names: Names) -> Said:
    """Runs a pipeline with a blue/green action."""
    deploy = codedeploy_stage.fresh()
    deploy.make_group(deploymentConfigName=codedeploy_stage.ALL_AT_ONCE)
    world = Stage(furnish(deploy.world))
    if told["release"].get("realism"):
        world.world.settings = world.world.settings.with_(realism=True)
        allowed = told["release"].get("allowed", [])
        store = {"Effect": "Allow", "Action": [*allowed, "iam:GetRole"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [store]})
        world.world.client("iam").put_role_policy(RoleName="pipeline", PolicyName="store", PolicyDocument=policy)
    error = world.error(releases.release(world, **told["release"].get("files", {})))
    return error["code"], error["message"]


def by_build(told: Mapping[str, Any], names: Names) -> Said:
    """Builds an image; the message is the last line of the build's own output."""
    stage = codebuild_stage.fresh()
    codebuild.refuse_docker_hub(stage.world, told["build"].get("limit", False))
    if told["build"].get("privileged") is False:
        build = stage.tried("docker build -t x .")
    else:
        build = stage.built("docker build -t x .", files={"Dockerfile": f"FROM {told['build']['from']}\n"})
    return build["buildStatus"], stage.output(build)[-1]


WAYS: dict[str, Callable[[Mapping[str, Any], Names], Said]] = {
    "group": by_group,
    "call": by_call,
    "story": by_story,
    "deployment": by_deployment,
    "archive": by_archive,
    "release": by_release,
    "build": by_build,
}


@pytest.mark.parametrize("told", [pytest.param(one, id=one["id"]) for one in TOLD])
def test_the_sandbox_says_what_aws_says(told: dict[str, Any]) -> None:
    """The whole text, and where the middle of it is not known its beginning and its end."""
    names: Names = {}
    way = next(name for name in WAYS if name in told)
    code, message = WAYS[way](told, names)
    wanted = filled(told["text"], names)
    assert code == told["code"], message
    if "begins" in told:
        assert (message.startswith(told["begins"]), wanted in message) == (True, True), message
    else:
        assert message == wanted


def test_a_message_stands_for_itself() -> None:
    """No id twice, and every one has one way to be raised."""
    assert len({one["id"] for one in TOLD}) == len(TOLD)
    assert [one["id"] for one in TOLD if sum(way in one for way in WAYS) != 1] == []
