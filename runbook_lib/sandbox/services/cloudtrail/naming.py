"""How CloudTrail names services, events, callers and resources.

Sources: CloudTrail user guide, cloudtrail-event-reference-record-contents and -user-identity; Lambda developer guide,
logging-using-cloudtrail (versions in the names of events).  Which resources AWS lists for an event is up to each
service and hardly documented: here they are those that the parameters name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import clients
from runbook_lib.sandbox.calls import CallRecord
from runbook_lib.sandbox.services.sts import unique_id

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SESSION = ":assumed-role/"
LAMBDA_VERSION = "20150331"
SECOND_VERSION = frozenset(
    {
        "AddPermission",
        "GetFunction",
        "GetFunctionConfiguration",
        "GetPolicy",
        "RemovePermission",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    }
)
# service -> name of a request parameter -> CloudFormation's type of the resource
RESOURCES: Mapping[str, Mapping[str, str]] = {
    "cloudwatch": {"alarmName": "AWS::CloudWatch::Alarm"},
    "codebuild": {"projectName": "AWS::CodeBuild::Project", "name": "AWS::CodeBuild::Project"},
    "codecommit": {"repositoryName": "AWS::CodeCommit::Repository"},
    "codedeploy": {
        "applicationName": "AWS::CodeDeploy::Application",
        "deploymentGroupName": "AWS::CodeDeploy::DeploymentGroup",
        "currentDeploymentGroupName": "AWS::CodeDeploy::DeploymentGroup",
        "deploymentConfigName": "AWS::CodeDeploy::DeploymentConfig",
        "deploymentId": "AWS::CodeDeploy::Deployment",
    },
    "codepipeline": {
        "name": "AWS::CodePipeline::Pipeline",
        "pipelineName": "AWS::CodePipeline::Pipeline",
        "pipeline.name": "AWS::CodePipeline::Pipeline",
    },
    "ec2": {"vpcId": "AWS::EC2::VPC", "subnetId": "AWS::EC2::Subnet", "groupId": "AWS::EC2::SecurityGroup"},
    "ecr": {"repositoryName": "AWS::ECR::Repository"},
    "ecs": {
        "cluster": "AWS::ECS::Cluster",
        "clusterName": "AWS::ECS::Cluster",
        "service": "AWS::ECS::Service",
        "serviceName": "AWS::ECS::Service",
        "taskDefinition": "AWS::ECS::TaskDefinition",
        "family": "AWS::ECS::TaskDefinition",
    },
    "elbv2": {
        "listenerArn": "AWS::ElasticLoadBalancingV2::Listener",
        "loadBalancerArn": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "ruleArn": "AWS::ElasticLoadBalancingV2::ListenerRule",
        "targetGroupArn": "AWS::ElasticLoadBalancingV2::TargetGroup",
    },
    "events": {"name": "AWS::Events::Rule", "rule": "AWS::Events::Rule"},
    "iam": {
        "policyArn": "AWS::IAM::Policy",
        "policyName": "AWS::IAM::Policy",
        "roleName": "AWS::IAM::Role",
        "userName": "AWS::IAM::User",
    },
    "lambda": {"functionName": "AWS::Lambda::Function"},
    "logs": {"logGroupName": "AWS::Logs::LogGroup"},
    "s3": {"bucketName": "AWS::S3::Bucket"},
    "sns": {"topicArn": "AWS::SNS::Topic"},
    "sqs": {"queueName": "AWS::SQS::Queue", "queueUrl": "AWS::SQS::Queue"},
    "sts": {"roleArn": "AWS::IAM::Role"},
}


def source(service: str) -> str:
    """The service of an event: its signing name, as in ecs.amazonaws.com."""
    model = clients.session()._session.get_service_model(service)
    return f"{model.metadata.get('signingName', model.metadata['endpointPrefix'])}.amazonaws.com"


def event(service: str, operation: str) -> str:
    """The name of an event: the operation's, with a version in the case of Lambda."""
    if service != "lambda":
        return operation
    return f"{operation}{LAMBDA_VERSION}{'v2' if operation in SECOND_VERSION else ''}"


def user(caller: str) -> str:
    """The user's name, or that of the session."""
    return caller.rpartition("/")[2]


def access_key(world: World, caller: str) -> str:
    """The key with which a caller signs."""
    return world.gateway.credentials_for(caller)[0]


def identity(world: World, call: CallRecord) -> dict[str, Any]:
    """Who called."""
    account, key = world.settings.account, access_key(world, call.caller)
    common = {"arn": call.caller, "accountId": account, "accessKeyId": key}
    if SESSION not in call.caller:
        return {
            "type": "IAMUser",
            "principalId": unique_id("AIDA", call.caller),
            **common,
            "userName": user(call.caller),
        }
    name = call.caller.partition(SESSION)[2].partition("/")[0]
    role = world.arn("iam", f"role/{name}", regional=False)
    issuer = {"type": "Role", "principalId": unique_id("AROA", role), "arn": role, "accountId": account}
    return {
        "type": "AssumedRole",
        "principalId": f"{issuer['principalId']}:{user(call.caller)}",
        **common,
        "sessionContext": {"sessionIssuer": {**issuer, "userName": name}, "attributes": {"mfaAuthenticated": "false"}},
    }


def resources(service: str, parameters: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The resources that the parameters of a call name."""
    found = _named(RESOURCES.get(service, {}), parameters or {})
    return [{"ResourceType": kind, "ResourceName": name} for kind, name in dict.fromkeys(found)]


def _named(kinds: Mapping[str, str], parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, kind in kinds.items():
        value: Any = parameters
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            yield kind, value
