"""A: the pipeline, its artifacts, and the files that the deploy action reads from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from runbook_lib.check import Verdict
from runbook_lib.documents.appspec.check import PLACEHOLDER as TASK_DEFINITION
from runbook_lib.documents.appspec.repair import balancer_as_object, placeholder_written
from runbook_lib.documents.buildspec import hand_over_files, repairs, write_image_detail
from runbook_lib.documents.buildspec.repair import names_mended
from runbook_lib.documents.change import text_written
from runbook_lib.documents.edit import Edit, edited
from runbook_lib.documents.imagedetail import DEFINITIONS, DETAIL, near_miss
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.errors import BadInput
from runbook_lib.preflight.picture import APPSPEC, TASKDEF, Deploy, Files, Picture, Pipeline
from runbook_lib.preflight.rule import Answer, Rule, called, fail, judge, of_finding, ok, skip, unknown

SLOTS = (1, 2, 3, 4)  # CodePipeline user guide, action-reference-ECSbluegreen: at most four images
MOST_INPUTS = 5
TEMPLATES = ("TaskDefinitionTemplateArtifact", "AppSpecTemplateArtifact")
NO_ARTIFACTS = "no_artifacts_block"
LARGEST_INPUT = 3 * 1024 * 1024  # bytes of an input artifact, packed (CodePipeline user guide, limits)


def task_definition_file(picture: Picture) -> Iterator[Answer]:
    """A1: the task definition is in the artifact under the configured path."""
    if picture.rolls():
        yield rolling(picture)
        return
    for deploy in picture.deploys():
        yield from _in_artifact(picture, deploy, *deploy.taskdef)
    files = _files(picture)
    for entry in files.entries():
        if not _is_pattern(entry.raw) and not files.exists(entry.raw) and not files.is_written(entry.raw):
            assert files.buildspec is not None
            where, wanted = (
                files.buildspec.document.where(entry),
                f"a file {entry.raw}, from the repository or the build",
            )
            if files.is_named(entry.raw):
                yield unknown(
                    where, f"no file {entry.raw}, but a command that names it", wanted, "see that it writes it"
                )
                continue
            answer = fail(where, _instead(files, entry.raw), wanted, f"put {entry.raw} there, or correct the entry")
            yield called(answer, "artifact_file_does_not_exist")


def mend_task_definition_file(picture: Picture) -> Iterator[Edit]:
    """The task definition handed over, where it is there and only the artifact lacks it."""
    yield from _handed_over(picture, [deploy.taskdef for deploy in picture.deploys()])


def appspec_file(picture: Picture) -> Iterator[Answer]:
    """A9: so is the AppSpec, under the very name that the action looks for."""
    if picture.rolls():
        yield rolling(picture)
        return
    for deploy in picture.deploys():
        yield from _in_artifact(picture, deploy, *deploy.appspec)


def mend_appspec_file(picture: Picture) -> Iterator[Edit]:
    """The same for the AppSpec."""
    yield from _handed_over(picture, [deploy.appspec for deploy in picture.deploys()])


def _handed_over(picture: Picture, wanted: Iterable[tuple[str, str]]) -> Iterator[Edit]:
    """Another entry of artifacts.files for each file that exists, or that the build writes."""
    files, spec = _files(picture), _files(picture).buildspec
    if spec is None or picture.rolls():
        return
    for artifact, path in wanted:
        # Without a pipeline nobody says where in the artifact it looks: only its own default leaves no choice.
        meant = picture.pipeline is not None or path in (TASKDEF, APPSPEC, DETAIL)
        there = meant and (files.exists(path) or files.is_written(path))
        if picture.is_build(artifact) and there and files.handed_over(path) is None:
            yield from _certain(partial(hand_over_files, spec.source, files=(path,), name=spec.source.name))
            blocks = (repair for repair in repairs(spec.source, name=spec.source.name) if repair.rule == NO_ARTIFACTS)
            yield from (repair.edit for repair in blocks)


def _certain(edit: Callable[[], Edit]) -> Iterator[Edit]:
    """The edit, unless it is refused: then the finding stays, and its remedy is for a person."""
    try:
        made = edit()
    except BadInput:
        return
    if made.changed:
        yield made


def rolling(picture: Picture) -> Answer:
    """The answer for an application that is not deployed blue/green."""
    where = picture.pipeline.source if picture.pipeline else "files.appspec"
    return skip(where, "rolling deployments: there is no AppSpec and no blue/green action", "not asked")


def _in_artifact(picture: Picture, deploy: Deploy, artifact: str, path: str) -> Iterator[Answer]:
    files = _files(picture)
    wanted = f"{path} in {artifact or 'an artifact that is named'}"
    if picture.is_build(artifact):
        yield from _built(files, path, wanted)
    elif files.exists(path):
        yield ok(path, f"{path} in the folder", wanted)
    else:
        yield fail(_named(picture, deploy), _instead(files, path), wanted, f"put {path} there, or correct the path")


def _built(files: Files, path: str, wanted: str) -> Iterator[Answer]:
    spec, entry = files.buildspec, files.handed_over(path)
    if spec is None:
        yield skip("files.buildspec", "the folder has no buildspec.yml", wanted)
        return
    if entry is None:
        place = spec.files[0] if spec.files else spec.root
        listed = ", ".join(item.raw for item in spec.files) or "nothing"
        name = "artifacts_missing_files" if spec.files else "no_artifacts_block"
        answer = fail(spec.document.where(place), f"artifacts.files with {listed}", wanted, f"add {path}")
        yield called(answer, name)
    elif not files.exists(path) and not files.is_written(path) and not _is_pattern(entry.raw):
        answer = fail(spec.document.where(entry), _instead(files, path), wanted, f"put {path} into the repository")
        yield called(answer, "artifact_file_does_not_exist")
    elif not files.exists(path) and not files.is_written(path):
        yield fail(spec.document.where(entry), _instead(files, path), wanted, f"put {path} into the repository")
    else:
        yield ok(spec.document.where(entry), entry.raw, wanted)
    for finding in files.of("artifact_takes_all"):
        yield of_finding(finding)


def _is_pattern(entry: str) -> bool:
    return any(mark in entry for mark in "*?[")


def _instead(files: Files, path: str) -> str:
    stem = path.rsplit("/", 1)[-1].partition(".")[0].lower()
    near = sorted(one for one in files.below if one.rpartition("/")[2].lower().startswith(stem))[:3]
    return f"no file {path}, but {', '.join(near)}" if near else f"no file {path}"


def _named(picture: Picture, deploy: Deploy) -> str:
    if picture.pipeline is None or deploy.action is None:
        return "files"
    return f"{picture.pipeline.source}: {deploy.action.where}"


def image_detail(picture: Picture) -> Iterator[Answer]:
    """A2: imageDetail.json is written and handed over, where a build makes the image's artifact."""
    files = _files(picture)
    if picture.rolls():
        yield rolling(picture)
        return
    sources = {artifact for deploy in picture.deploys() for artifact, _ in deploy.images}
    if not any(picture.is_build(artifact) for artifact in sources):
        return
    found = files.of("image_detail_never_written", "buildspec_still_rolling", "image_detail_shape")
    found += files.of("shell_eats_json_quotes")
    committed = files.exists(DETAIL)
    for finding in found:
        answer = of_finding(finding)
        seen = f"{DETAIL} is committed: every release deploys the image that it names"
        fixed = committed and finding.rule == "image_detail_never_written"
        yield replace(answer, verdict=Verdict.INCONCLUSIVE, seen=seen) if fixed else answer
    yield from _built(files, DETAIL, f"{DETAIL} in the build's artifact, not {DEFINITIONS}")


def mend_image_detail(picture: Picture) -> Iterator[Edit]:
    """A command that writes imageDetail.json with the image that is handed over today, and its entry."""
    files, spec = _files(picture), _files(picture).buildspec
    # A name that is nearly right is mended first (A3): then the file is written once.
    if spec is None or picture.rolls() or files.of("image_file_name"):
        return
    sources = [artifact for deploy in picture.deploys() for artifact, _ in deploy.images]
    if any(picture.is_build(artifact) for artifact in sources) and not files.exists(DETAIL):
        properties = files.appspec_properties()
        named = properties.at("LoadBalancerInfo", "ContainerName") if properties else None
        for container in dict.fromkeys((None, named.raw if named else None)):
            yield from _certain(partial(write_image_detail, spec.source, name=spec.source.name, container=container))
        yield from _handed_over(picture, [(artifact, DETAIL) for artifact in sources])


def image_file_name(picture: Picture) -> Iterator[Answer]:
    """A3: no name that is nearly right."""
    files = _files(picture)
    found = files.of("image_file_name")
    yield from (of_finding(finding) for finding in found)
    for path in sorted(path for path in files.below if "/" not in path):
        meant = near_miss(path)
        if meant:
            answer = fail(path, path, f"{meant}, letter by letter", f"rename the file to {meant}")
            yield called(answer, "image_file_name")
    if not found and files.buildspec:
        yield ok(files.buildspec.source.name, "no name that is nearly right", f"{DETAIL}, letter by letter")


def mend_image_file_name(picture: Picture) -> Iterator[Edit]:
    """The name that is meant, in the commands and in the artifacts."""
    spec = _files(picture).buildspec
    if spec is not None:
        yield from _certain(lambda: names_mended(spec) or Edit(spec.source.name, "", "", ()))


def rolling_input(picture: Picture) -> Iterator[Answer]:
    """A4: a rolling action reads imagedefinitions.json, which an ECR source does not make."""
    pipeline = _pipeline(picture)
    for action in pipeline.rolling:
        for artifact in action.inputs:
            origin = pipeline.origin(artifact)
            where, wanted = pipeline.where(action, "FileName"), f"{DEFINITIONS} from a build"
            if origin == "Source" and any(artifact in one.outputs for one in pipeline.actions("ECR")):
                yield fail(
                    where, f"{artifact} of an ECR source, with {DETAIL}", wanted, "add a build, or deploy by CodeDeploy"
                )
            else:
                yield ok(where, f"{artifact} of a {origin or 'missing'} action", wanted)


def small_artifact(picture: Picture) -> Iterator[Answer]:
    """A5: AppSpec and task definition come from the build, whose artifact holds little."""
    pipeline = _pipeline(picture)
    for deploy in pipeline.deploys():
        for key, (artifact, _) in (
            ("TaskDefinitionTemplateArtifact", deploy.taskdef),
            ("AppSpecTemplateArtifact", deploy.appspec),
        ):
            assert deploy.action is not None
            where = pipeline.where(deploy.action, key)
            origin, wanted = pipeline.origin(artifact), "the build's artifact: an input may have 3 MB"
            if origin == "Build":
                yield ok(where, artifact, wanted)
            elif origin == "Source":
                yield from _source_size(picture, where, artifact, wanted)
            else:
                yield fail(where, artifact or "no artifact", wanted, "name the output of the build action")


def _source_size(picture: Picture, where: str, artifact: str, wanted: str) -> Iterator[Answer]:
    size = sum(picture.files.below.values()) if picture.files else 0
    seen = f"{artifact}, the source of {size / 1024 / 1024:.1f} MB unpacked"
    remedy = "name the output of the build action"
    yield (fail if size > 3 * LARGEST_INPUT else unknown)(where, seen, wanted, remedy)


def placeholder(picture: Picture) -> Iterator[Answer]:
    """A6: every placeholder of taskdef.json is one that the deploy action replaces, and the other way round."""
    files = _files(picture)
    assert files.taskdef is not None
    found = files.of("taskdef_image_is_literal", "taskdef_image_other_token")
    yield from (of_finding(finding) for finding in found)
    if picture.pipeline is None:
        for image in files.placeholders():
            wanted = "the name that the pipeline's Image1ContainerName has"
            yield unknown(files.taskdef.where(image), image.raw, wanted, "check with --pipeline FILE")
        return
    for deploy in picture.pipeline.deploys():
        yield from _replaced(picture.pipeline, deploy, files)


def mend_placeholder(picture: Picture) -> Iterator[Edit]:
    """The pipeline's placeholder as the image, where there is one of each and so no choice."""
    files, pipeline = _files(picture), picture.pipeline
    names = {name for deploy in pipeline.deploys() for _, name in deploy.images} if pipeline else set()
    images, document = tuple(files.images()), files.taskdef
    written = files.placeholders() or images
    if len(names) != 1 or len(written) != 1 or not any(names) or document is None:
        return
    # Another token may be one that a command of the build replaces: which of the two is meant is a choice.
    if files.placeholders() or image_uri(written[0].raw):
        splice = text_written(document, written[0], f"<{names.pop().strip('<>')}>")
        yield from [edited(document.source, (splice,), ("the pipeline replaces this text",))] if splice else ()


def _replaced(pipeline: Pipeline, deploy: Deploy, files: Files) -> Iterator[Answer]:
    assert files.taskdef is not None
    assert deploy.action is not None
    names = {name for _, name in deploy.images}
    written = {image.raw.strip("<>"): image for image in files.placeholders()}
    for name, image in written.items():
        wanted = " or ".join(f"<{known}>" for known in sorted(names)) or "a placeholder that the action replaces"
        if name in names:
            yield ok(files.taskdef.where(image), f"<{name}>", wanted)
        else:
            remedy = f"write {wanted}, or set Image1ContainerName to {name}"
            yield fail(files.taskdef.where(image), f"<{name}>", wanted, remedy)
    for name in sorted(names - set(written)):
        remedy = f'write it as the image of the container: "image": "<{name.strip("<>")}>"'
        wanted = "the name of a placeholder in taskdef.json, without brackets"
        yield fail(pipeline.where(deploy.action, "Image1ContainerName"), name or "no name", wanted, remedy)


def task_definition(picture: Picture) -> Iterator[Answer]:
    """A7: the AppSpec's TaskDefinition is the fixed text that the deploy action replaces."""
    files = _files(picture)
    assert files.appspec is not None
    properties = files.appspec_properties()
    node = properties.get("TaskDefinition") if properties else None
    where = files.appspec.where(node or properties or files.appspec.root)
    seen = node.raw if node else "no TaskDefinition"
    if seen == TASK_DEFINITION:
        yield ok(where, seen, TASK_DEFINITION)
    else:
        remedy = f"write TaskDefinition: {TASK_DEFINITION}"
        answer = fail(where, seen, TASK_DEFINITION, remedy)
        yield called(answer, "appspec_task_definition_not_placeholder")


def mend_task_definition(picture: Picture) -> Iterator[Edit]:
    """The fixed text, unless a command of the build fills in the file."""
    files = _files(picture)
    if files.appspec is not None and not files.is_filled_in(files.appspec.source.name):
        made = placeholder_written(files.appspec)
        yield from [made] if made else ()


def image_slots(picture: Picture) -> Iterator[Answer]:
    """A8: at most four placeholders and five inputs."""
    yield from (of_finding(finding) for finding in _files(picture).of("taskdef_placeholders"))
    for deploy in picture.pipeline.deploys() if picture.pipeline else ():
        assert picture.pipeline is not None
        assert deploy.action is not None
        count, where = len(deploy.action.inputs), f"{picture.pipeline.source}: {deploy.action.where}.inputArtifacts"
        good = 1 <= count <= MOST_INPUTS
        wanted = f"1 to {MOST_INPUTS} input artifacts"
        yield ok(where, count, wanted) if good else fail(where, count, wanted, "remove what the action does not read")


def balancer_object(picture: Picture) -> Iterator[Answer]:
    """A10: LoadBalancerInfo is an object."""
    files = _files(picture)
    assert files.appspec is not None
    found = files.of("appspec_load_balancer")
    yield from (of_finding(finding) for finding in found)
    properties = files.appspec_properties()
    node = properties.get("LoadBalancerInfo") if properties else None
    if node and not found:
        yield ok(files.appspec.where(node), node.shown(), "an object")


def mend_balancer(picture: Picture) -> Iterator[Edit]:
    """The same keys without the dashes before them."""
    document = _files(picture).appspec
    made = balancer_as_object(document) if document else None
    yield from [made] if made else ()


def parallel_runs(picture: Picture) -> Iterator[Answer]:
    """A16: a release pipeline does not run in parallel with itself."""
    pipeline = _pipeline(picture)
    mode, where = str(pipeline.definition.get("executionMode", "SUPERSEDED")), f"{pipeline.source}: executionMode"
    if mode == "PARALLEL":
        yield fail(where, mode, "SUPERSEDED or QUEUED", "set executionMode to SUPERSEDED")
    else:
        yield ok(where, mode, "SUPERSEDED or QUEUED")


def watched_branch(picture: Picture) -> Iterator[Answer]:
    """A15: the event rule's pattern names the branch of the source action."""
    pipeline, live = _pipeline(picture), picture.live
    assert live is not None
    detail = (live.event_pattern or {}).get("detail", {})
    watched = detail.get("referenceName", []) if isinstance(detail, dict) else []
    for action in pipeline.actions("CodeCommit"):
        if str(action.configuration.get("PollForSourceChanges", "true")).lower() == "true":
            continue
        branch, where = str(action.configuration.get("BranchName", "")), f"DescribeRule: {live.names.rule}"
        seen = ", ".join(map(str, watched)) if live.event_pattern is not None else "no rule that is enabled"
        remedy = f"let the rule's detail.referenceName be {branch}"
        yield judge(branch in watched, where, seen=seen, wanted=branch, remedy=remedy)


def stage_rollback(picture: Picture) -> Iterator[Answer]:
    """A17: how many runs the stage could be rolled back to."""
    live = picture.live
    assert live is not None
    count, wanted = live.returnable or 0, "at least one run on the pipeline's present structure"
    where = "ListPipelineExecutions"
    remedy = "redeploy the former revision instead of rolling the stage back"
    yield ok(where, count, wanted) if count else unknown(where, count, wanted, remedy)


def _files(picture: Picture) -> Files:
    assert picture.files is not None  # every rule that asks for it needs a part of it
    return picture.files


def _pipeline(picture: Picture) -> Pipeline:
    assert picture.pipeline is not None
    return picture.pipeline


RULES = (
    Rule("A1", ("files",), task_definition_file, mend_task_definition_file),
    Rule("A2", ("files.buildspec",), image_detail, mend_image_detail),
    Rule("A3", ("files",), image_file_name, mend_image_file_name),
    Rule("A4", ("pipeline",), rolling_input),
    Rule("A5", ("pipeline",), small_artifact),
    Rule("A6", ("files.taskdef",), placeholder, mend_placeholder),
    Rule("A7", ("files.appspec",), task_definition, mend_task_definition),
    Rule("A8", ("files.taskdef",), image_slots),
    Rule("A9", ("files",), appspec_file, mend_appspec_file),
    Rule("A10", ("files.appspec",), balancer_object, mend_balancer),
    Rule("A15", ("pipeline", "live"), watched_branch),
    Rule("A17", ("live.returnable",), stage_rollback),
    Rule("A16", ("pipeline",), parallel_runs),
)
