"""The pipeline's Deploy stage: from a rolling deployment to CodeDeploy, kept so that it can be restored."""

from __future__ import annotations

from dataclasses import replace

from runbook_lib import deployment, deployment_group, pipeline, repository
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks
from runbook_lib.documents import pipeline as definitions
from runbook_lib.documents import taskdef
from runbook_lib.errors import CheckFailed
from runbook_lib.handle import Handle
from runbook_lib.step import Applied, Plan
from runbook_lib.story import move, release
from runbook_lib.story.sources import APPSPEC, TASKDEF
from runbook_lib.system import System
from runbook_lib.table import Table, table

TEST = "pipeline.test_release"


def check_ready(account: Account, system: System) -> Checks:
    """Is everything there that the new Deploy stage refers to, and is the pipeline frozen meanwhile?"""
    found = _pipeline(account, system)
    group = deployment_group.read_group(account, system)
    source = repository.read_repository(account, system, (TASKDEF, APPSPEC))
    names = taskdef.placeholders(source.files[TASKDEF].decode()) if TASKDEF in source.files else ()
    stage = found.stage(pipeline.DEPLOY)
    running = [run.id for run in pipeline.read_executions(account, system) if not run.over]
    return checks(
        "Ready to change the pipeline",
        (
            ask(
                "Is there a deployment group for the service?",
                group is not None,
                seen=group.name if group else "none",
                wanted=system.deploy_group,
                remedy="run 15_move_service",
            ),
            ask(
                "Are both files on the pipeline's branch?",
                len(source.files) == 2,
                seen=", ".join(sorted(source.files)) or "none",
                wanted=f"{APPSPEC}, {TASKDEF}",
                remedy="run 20_source_files and 21_buildspec",
            ),
            ask(
                "Is the placeholder in taskdef.json the one that the pipeline will replace?",
                system.params.pipeline.placeholder in names,
                seen=", ".join(f"<{name}>" for name in names) or "none",
                wanted=f"<{system.params.pipeline.placeholder}>",
                remedy="use one name: with brackets in taskdef.json, without in the pipeline's field",
            ),
            ask(
                "Can no run enter Deploy meanwhile?",
                bool(stage and not stage.open) or found.deploy_provider == "CodeDeployToECS",
                seen="open" if stage and stage.open else "closed",
                wanted="closed",
                remedy="run 15_move_service again: it freezes the pipeline",
            ),
            ask(
                "Is the pipeline at rest but for what waits before Deploy?",
                len(running) <= 1,
                seen=f"{len(running)} under way",
                wanted="at most the one that waits",
                remedy="wait for it and run this cell again",
            ),
        ),
    )


def stages(account: Account, system: System) -> Table:
    """The stages of the pipeline: whether runs may enter, and what ran there last."""
    found = _pipeline(account, system)
    rows = [{"stage": s.name, "open": s.open, "why": s.closed_because, "last run": s.status} for s in found.stages]
    return table(f"Pipeline {found.name}, version {found.version}, deploys by {found.deploy_provider}", rows)


def console_fields(account: Account, system: System) -> Table:
    """The console's fields and the keys that hold them in the definition."""
    del account, system
    rows = [{"console": f.console, "key": f.key, "meaning": f.meaning} for f in definitions.console_map()]
    return table("Console and definition", rows)


def changes(account: Account, system: System) -> Table:
    """Field by field, what the Deploy action is and what it will be."""
    edit = definitions.to_blue_green(_pipeline(account, system).definition, **_names(system))
    rows = [{"field": c.path, "now": c.old, "then": c.new} for c in edit.changes]
    return table("Changed fields", rows, ("field", "now", "then"))


def plan_edit(account: Account, system: System) -> Plan:
    """The Deploy stage by CodeDeploy; every other field of the pipeline stays."""
    found = _pipeline(account, system)
    edit = definitions.to_blue_green(found.definition, **_names(system))
    step = pipeline.plan_definition(
        system, found, edit.definition, step="pipeline.blue_green", why="the Deploy stage must hand over to CodeDeploy"
    )
    notes = (f"Version {found.version} stays readable and can be restored.",)
    return Plan("Let CodeDeploy deploy", system.name, (step,), notes=notes)


def plan_restore(account: Account, system: System, version: int) -> Plan:
    """The definition of a former version again."""
    former = pipeline.read_former_definition(account, system, version)
    step = pipeline.plan_definition(
        system, _pipeline(account, system), former, step="pipeline.restore", why=f"back to version {version}"
    )
    return Plan(f"Restore version {version}", system.name, (step,))


def plan_unfreeze(account: Account, system: System) -> Plan:
    """Let runs enter Deploy again that the move kept out; what was closed for another reason stays closed."""
    found = _pipeline(account, system)
    step = pipeline.plan_unfreeze(system, found, why="the new Deploy stage is in place")
    stage = found.stage(pipeline.DEPLOY)
    if stage and not stage.open and stage.closed_because != move.REASON:
        why = f"it was closed for another reason, and plan_reopen opens it: {stage.closed_because}"
        step = replace(step, reason=why, present={})
    return Plan("Unfreeze the pipeline", system.name, (step,))


def plan_reopen(account: Account, system: System) -> Plan:
    """Let runs enter Deploy again, for whatever reason it was closed: somebody has looked and mended it."""
    found = _pipeline(account, system)
    stage = found.stage(pipeline.DEPLOY)
    why = f"mended: {stage.closed_because}" if stage and stage.closed_because else "mended"
    return Plan("Reopen the pipeline", system.name, (pipeline.plan_unfreeze(system, found, why=why),))


def plan_test_release(account: Account, system: System) -> Plan:
    """One run through the new pipeline, of the version that is live: it proves the way before anything new takes it."""
    if _proved(account, system):
        return Plan("Test release", system.name, (), notes=("A deployment has taken this way before.",))
    step = pipeline.plan_start(system, step=TEST, why="no deployment has come this way yet")
    running = _on_its_way(account, system)
    if running:
        step = replace(step, reason=f"run {running} takes this way already", present={pipeline.EXECUTION: running})
    return Plan("Test release", system.name, (step,))


def wait_for_test(account: Account, system: System, applied: Applied) -> Handle:
    """Wait until the test release has started its deployment; with none to start, one that did well is meant."""
    answer = applied.answers.get(TEST)
    if answer is None:
        done = _proved(account, system)[0]
        return Handle(done.id, f"deployment {done.id} took this way before")
    execution = answer[pipeline.EXECUTION]
    return release.wait_for_deployment(account, system, Handle(execution, execution))


def judge_test(account: Account, system: System, applied: Applied, started: Handle) -> Checks:
    """Did the test release go well?  One that ended before is only asked whether it did."""
    if TEST in applied.answers:
        return release.judge(account, system, started)
    found = deployment.read_deployment(account, system, started.id)
    good = found.status == "Succeeded"
    question = "Has a deployment taken the new way?"
    return checks(f"Deployment {found.id}", (ask(question, good, seen=found.status, wanted="Succeeded"),))


def check_edited(account: Account, system: System) -> Checks:
    """Does the Deploy stage hand the right files to the right deployment group?"""
    found = _pipeline(account, system)
    action = found.definition["stages"][-1]["actions"][-1]
    configuration = action["configuration"]
    wanted = {
        "ApplicationName": system.deploy_application,
        "DeploymentGroupName": system.deploy_group,
        "TaskDefinitionTemplateArtifact": pipeline.BUILD_ARTIFACT,
        "AppSpecTemplateArtifact": pipeline.BUILD_ARTIFACT,
        "Image1ArtifactName": pipeline.BUILD_ARTIFACT,
        "Image1ContainerName": system.params.pipeline.placeholder,
    }
    answers = [
        ask(
            f"Is {key} right?",
            configuration.get(key) == value,
            seen=configuration.get(key, "not set"),
            wanted=value,
            remedy="run 22_pipeline again",
        )
        for key, value in wanted.items()
    ]
    return checks("The Deploy action", answers)


def _proved(account: Account, system: System) -> tuple[deployment.Deployment, ...]:
    """The deployments that took the new way and ended well, newest first."""
    return tuple(found for found in deployment.read_deployments(account, system) if found.status == "Succeeded")


def _on_its_way(account: Account, system: System) -> str | None:
    """A run through the present structure that is not over: of a notebook that was killed, or of a push."""
    version = _pipeline(account, system).version
    running = [run.id for run in pipeline.read_executions(account, system) if not run.over]
    return next((run for run in running if pipeline.read_execution(account, system, run).version == version), None)


def _names(system: System) -> dict[str, str]:
    return {
        "application": system.deploy_application,
        "group": system.deploy_group,
        "artifact": pipeline.BUILD_ARTIFACT,
        "placeholder": system.params.pipeline.placeholder,
        "taskdef_path": TASKDEF,
        "appspec_path": APPSPEC,
    }


def _pipeline(account: Account, system: System) -> pipeline.Pipeline:
    found = pipeline.read_pipeline(account, system)
    if found is None:
        raise CheckFailed(seen="no pipeline", wanted=system.pipeline, next_step="run 10_provision")
    return found
