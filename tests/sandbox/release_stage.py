"""A world with a whole release pipeline: source, build, approval, and a deployment by CodeDeploy."""

from __future__ import annotations

import json

import codedeploy_stage
import ecs_stage
from pipeline_stage import NAME, Stage, action, buildspec, furnish, source, stage

IMAGE = "public.ecr.aws/docker/library/httpd:2.6"
APPSPEC = {
    "version": 0.0,
    "Resources": [
        {
            "TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": "<TASK_DEFINITION>",
                    "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8080},
                },
            }
        }
    ],
}
BLUE_GREEN = {
    "ApplicationName": NAME,
    "DeploymentGroupName": NAME,
    "TaskDefinitionTemplateArtifact": "Built",
    "AppSpecTemplateArtifact": "Built",
    "AppSpecTemplatePath": "appspec.json",
    "Image1ArtifactName": "Built",
    "Image1ContainerName": "IMAGE1_NAME",
}


def begin() -> Stage:
    """A pipeline of source, build, and a release of an approval and a deployment that waits before it ends blue."""
    deploy = codedeploy_stage.fresh()
    waits = codedeploy_stage.waits(termination=60)
    deploy.make_group(deploymentConfigName=codedeploy_stage.ALL_AT_ONCE, blueGreenDeploymentConfiguration=waits)
    world = Stage(furnish(deploy.world))
    taskdef = ecs_stage.definition("", "<IMAGE1_NAME>", APP_VERSION="2")
    del taskdef["executionRoleArn"]
    detail = json.dumps({"ImageURI": IMAGE})
    world.push(
        "orders: retry writes",
        taskdef_json=json.dumps(taskdef),
        appspec_json=json.dumps(APPSPEC),
        buildspec_yml=buildspec(f"printf '%s' '{detail}' > imageDetail.json"),
    )
    release = stage(
        "Deploy",
        action("Approve", "Manual", runOrder=1),
        action("BlueGreen", "CodeDeployToECS", "Built", runOrder=2, namespace="Deployed", **BLUE_GREEN),
    )
    make = action("DockerBuild", "CodeBuild", "Code", "Built", ProjectName=NAME)
    world.create(source(), stage("Build", make), release)
    return world
