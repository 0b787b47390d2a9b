"""Build and test actions: a build of CodeBuild with the artifacts of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import artifacts, flow
from runbook_lib.sandbox.services.codepipeline.failure import CONFIGURATION, JOB_FAILED, ActionFailed, asking
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline, Place

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Start the build."""
    from runbook_lib.sandbox.services import codebuild

    names = [one["name"] for one in made.declared["outputArtifacts"]]
    outputs = {name: artifacts.place(world, run.pipeline, name) for name in names}
    primary = made.configuration.get("PrimarySource") or made.declared["inputArtifacts"][0]["name"]
    sources = {name: made.inputs[name] for name in sorted(made.inputs, key=lambda name: name != primary)}
    with asking("AWSCodeBuild"):
        made.external = codebuild.start(
            world,
            project=made.configuration["ProjectName"],
            source=None,
            sources=sources,
            outputs=outputs,
            revision=_revision(run, primary),
            connections=_cloned_through(world, run, sources),
            environment=_variables(run, made),
            initiator=f"codepipeline/{found.name}",
            on_done=("codepipeline.built", run.id, made.id, outputs),
        )


def built(world: World, run_id: str, action_id: str, outputs: dict[str, Place], build_id: str) -> None:
    """A build that the pipeline started has ended."""
    from runbook_lib.sandbox.services import codebuild

    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    run, made = at_work
    build = codebuild.build(world, build_id)
    made.variables = {one["name"]: one["value"] for one in build.get("exportedEnvironmentVariables", ())}
    if build["buildStatus"] == "SUCCEEDED":
        made.outputs = outputs
        flow.finish(world, run, made)
        return
    text = f"Build terminated with state: {build['buildStatus']}{_reason(build)}"
    flow.finish(world, run, made, status="Failed", error=(JOB_FAILED, text))


def _reason(build: dict[str, Any]) -> str:
    for phase in build["phases"]:
        for context in phase.get("contexts", ()):
            if context.get("message"):
                told = {"Phase": phase["phaseType"], "Code": context["statusCode"], "Message": context["message"]}
                return ". " + ", ".join(f"{key}: {value}" for key, value in told.items())
    return ""


def _revision(run: Execution, artifact: str) -> str:
    """The revision that an artifact stands for; "" for one that a build made."""
    makers = {output["name"]: made for made in run.runs for output in made.declared["outputArtifacts"]}
    made = makers.get(artifact)
    return made.external or "" if made and made.kind["category"] == "Source" else ""


def _cloned_through(world: World, run: Execution, sources: Mapping[str, Place]) -> tuple[str, ...]:
    """The connections and repositories from which the build itself clones: its sources are references to commits."""
    makers = [made for made in run.runs if set(made.outputs) & set(sources)]
    cloned = [made.configuration for made in makers if artifacts.is_clone_reference(made.configuration)]
    known = {told.get("ConnectionArn") or world.arn("codecommit", told["RepositoryName"]) for told in cloned}
    return tuple(sorted(known))


def _variables(run: Execution, made: ActionRun) -> list[dict[str, str]]:
    """The action's variables of the build; resolved one by one, because a commit message may hold quotes."""
    text = made.declared["configuration"].get("EnvironmentVariables") or "[]"
    try:
        return [{**one, "value": flow.resolve(run, one["value"]), "name": one["name"]} for one in json.loads(text)]
    except (ValueError, TypeError, KeyError):
        text = f"The EnvironmentVariables of action {made.name} are not a JSON array of objects with name and value"
        raise ActionFailed(CONFIGURATION, text) from None
