// Drives one deployment from start to end with the AWS SDK for JavaScript.
// In: {"protocol": "json" or "cbor", "names": {...}} on standard input. Out: what was seen, as JSON.
// Where the world is and with which credentials it is called, the SDK reads from its environment.

import { text } from "node:stream/consumers";
import { Readable } from "node:stream";
import { AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";
import { CloudWatch } from "@aws-sdk/client-cloudwatch";
import { CodeDeploy, waitUntilDeploymentSuccessful } from "@aws-sdk/client-codedeploy";
import { CodePipeline } from "@aws-sdk/client-codepipeline";
import { ECS } from "@aws-sdk/client-ecs";
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2";
import { S3 } from "@aws-sdk/client-s3";

const { protocol, names } = JSON.parse(await text(process.stdin));
const chosen = protocol === "cbor" ? { protocol: AwsSmithyRpcV2CborProtocol } : {};
const deploy = new CodeDeploy(chosen);
// With CBOR this SDK compresses a body and still announces its former length, for which any server would wait.
const watch = new CloudWatch({ ...chosen, disableRequestCompression: protocol === "cbor" });
const pipelines = new CodePipeline(chosen);
const ecs = new ECS({});
const balancers = new ElasticLoadBalancingV2({});
const buckets = new S3({ forcePathStyle: true });

async function register() {
  const { taskDefinition } = await ecs.describeTaskDefinition({ taskDefinition: names.definition });
  const { family, requiresCompatibilities, networkMode, cpu, memory, containerDefinitions } = taskDefinition;
  const [app] = containerDefinitions;
  const changed = [{ ...app, environment: [{ name: "APP_VERSION", value: "javascript" }] }];
  const made = await ecs.registerTaskDefinition(
    { family, requiresCompatibilities, networkMode, cpu, memory, containerDefinitions: changed });
  return made.taskDefinition.taskDefinitionArn;
}

async function release(revision) {
  const LoadBalancerInfo = { ContainerName: "app", ContainerPort: 8080 };
  const Properties = { TaskDefinition: revision, LoadBalancerInfo };
  const content = JSON.stringify(
    { version: "0.0", Resources: [{ TargetService: { Type: "AWS::ECS::Service", Properties } }] });
  const { deploymentId } = await deploy.createDeployment({
    applicationName: names.application,
    deploymentGroupName: names.group,
    revision: { revisionType: "AppSpecContent", appSpecContent: { content } },
  });
  const patience = { client: deploy, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
  const waited = await waitUntilDeploymentSuccessful(patience, { deploymentId });
  return { deploymentId, waited: waited.state };
}

async function look(deploymentId) {
  const { deploymentInfo } = await deploy.getDeployment({ deploymentId });
  const { deploymentTargets } = await deploy.batchGetDeploymentTargets(
    { deploymentId, targetIds: [names.target] });
  const { Listeners } = await balancers.describeListeners({ ListenerArns: [names.listener] });
  const weights = Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups;
  return {
    status: deploymentInfo.status,
    created: deploymentInfo.createTime.toISOString(),
    completed: deploymentInfo.completeTime > deploymentInfo.createTime,
    events: deploymentTargets[0].ecsTarget.lifecycleEvents.map((event) => `${event.lifecycleEventName} ${event.status}`),
    live: weights.filter((one) => one.Weight === 100).map((one) => one.TargetGroupArn.split("/")[1]),
  };
}

async function measure() {
  const Timestamp = new Date(names.now * 1000);
  const MetricData = Array.from({ length: 500 }, () => (
    { MetricName: "a-metric-with-a-long-name", Timestamp, Value: 0.25, Dimensions: [{ Name: "By", Value: "javascript" }] }));
  await watch.putMetricData({ Namespace: "Foreign", MetricData });
  await watch.putMetricAlarm({
    AlarmName: "foreign", Namespace: "Foreign", MetricName: "a-metric-with-a-long-name", Statistic: "Sum", Period: 60,
    EvaluationPeriods: 1, Threshold: 0.5, ComparisonOperator: "GreaterThanThreshold",
  });
  const { MetricAlarms } = await watch.describeAlarms({ AlarmNames: ["foreign"] });
  return { threshold: MetricAlarms[0].Threshold, dated: MetricAlarms[0].StateUpdatedTimestamp instanceof Date };
}

async function upload() {
  const where = { Bucket: names.bucket, Key: "from/javascript" };
  await buckets.createBucket({ Bucket: names.bucket });
  const Body = Readable.from([Buffer.alloc(70_000, "a"), Buffer.from("end")]);
  await buckets.putObject({ ...where, Body, ContentLength: 70_003, ChecksumAlgorithm: "CRC32" });
  const got = await buckets.getObject(where);
  const content = await got.Body.transformToString();
  return { length: content.length, end: content.slice(-4), encoding: got.ContentEncoding ?? "" };
}

async function refusal(call) {
  try {
    await call();
    return "none";
  } catch (error) {
    return { name: error.name, status: error.$metadata.httpStatusCode, message: error.message };
  }
}

const revision = await register();
const { deploymentId, waited } = await release(revision);
console.log(JSON.stringify({
  revision,
  waited,
  ...(await look(deploymentId)),
  measured: await measure(),
  uploaded: await upload(),
  pipeline: (await pipelines.getPipelineState({ name: names.pipeline })).stageStates.map((one) => one.stageName),
  refused: {
    deployment: await refusal(() => deploy.getDeployment({ deploymentId: "d-MISSING00" })),
    service: await refusal(() => ecs.describeServices({ cluster: "missing", services: ["missing"] })),
    group: await refusal(() => balancers.describeTargetGroups({ Names: ["missing"] })),
    unserved: await refusal(() => watch.listMetricStreams({})),
  },
}));
