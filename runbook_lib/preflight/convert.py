"""A repository with rolling deployments made ready for blue/green: buildspec, taskdef.json and appspec.yaml.

What is there is kept and added to; nothing is made up: what no file says is asked for. A second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.documents import appspec, buildspec, taskdef
from runbook_lib.documents.buildspec import Buildspec
from runbook_lib.documents.change import text_written
from runbook_lib.documents.edit import Edit, edited
from runbook_lib.documents.imagedetail import DEFINITIONS, DETAIL
from runbook_lib.documents.json_text import parse_json
from runbook_lib.documents.node import Document, Node, dict_of
from runbook_lib.documents.source import read
from runbook_lib.documents.taskdef.text import PLACEHOLDER, items_of
from runbook_lib.errors import BadInput
from runbook_lib.preflight.fix import Fixes, fixes_of
from runbook_lib.preflight.picture import APPSPEC, TASKDEF, Files, Picture
from runbook_lib.preflight.reading import read_tree
from runbook_lib.preflight.report import Report, examine
from runbook_lib.preflight.tree import Tree, open_tree

_DESCRIBE = "aws ecs describe-task-definition --task-definition FAMILY --include TAGS > described.json"


@dataclass(frozen=True)
class Wishes:
    """What no file need say: the container behind the load balancer, its port, the placeholder, the running revision.

    `described` is what DescribeTaskDefinition answers, or a task definition, as a file; None where the folder has one.
    """

    placeholder: str
    container: str | None = None
    port: int | None = None
    described: Path | None = None


@dataclass(frozen=True)
class Conversion:
    """What the files become: edits with their reasons, and what the checks say before and after."""

    fixes: Fixes
    container: str
    port: int
    before: Report
    unused: Path | None  # the running revision that was given, where the folder has a taskdef.json of its own

    @property
    def edits(self) -> tuple[Edit, ...]:
        """One edit a file; a file that is new was empty before."""
        return self.fixes.edits

    @property
    def diff(self) -> str:
        """All changes as one unified diff; empty when there is nothing to convert."""
        return "\n".join(edit.diff for edit in self.edits if edit.changed)


def plan_conversion(directory: Path, wishes: Wishes, *, pipeline_file: Path | None = None) -> Conversion:
    """Every file of the move, not written yet; BadInput says what is missing or in the way, before anything is changed.

    Repairs that are certain and that these files need come with it, such as a login that AWS CLI 2 no longer has.
    """
    if not PLACEHOLDER.fullmatch(f"<{wishes.placeholder}>"):
        raise BadInput(
            where="--placeholder",
            seen=f"the placeholder {wishes.placeholder!r}",
            wanted="a name without angle brackets and blanks, as the pipeline's Image1ContainerName has it",
            next_step="write IMAGE1_NAME, or the name that the pipeline has",
        )
    if wishes.described is not None and not wishes.described.is_file():
        raise BadInput(
            where=f"--task-definition {wishes.described}",
            seen="a folder" if wishes.described.is_dir() else "no such file",
            wanted="what describe-task-definition answers",
            next_step=f"{_DESCRIBE}, then --task-definition described.json",
        )
    tree = open_tree(directory)
    # Troubles are looked at before anything else: a file that cannot be read is no file that is missing.
    picture = read_tree(tree)
    files = _files(picture)
    assert files.buildspec is not None
    container = _container(files, wishes)
    definition, reasons = _task_definition(files, tree, wishes, container)
    port = _port(definition, wishes, container)
    changed = [
        definition,
        _appspec(files, container, port),
        _buildspec(files.buildspec, files, container, _handed_over_image(files, container)),
    ]
    for edit in changed:
        tree = tree.with_text(edit.name, edit.after) if edit.changed else tree
    repaired = fixes_of(tree, pipeline_file=pipeline_file)
    fixes = Fixes(
        repaired.tree, _together(changed, repaired.edits, reasons), repaired.mended, repaired.before, repaired.after
    )
    before = examine(read_tree(open_tree(directory), pipeline_file=pipeline_file))
    return Conversion(fixes, container, port, before, wishes.described if _has_its_own(files) else None)


def _files(picture: Picture) -> Files:
    """The files, all of which can be read, with a buildspec among them."""
    for trouble in picture.troubles:
        if not trouble.part.startswith("others."):
            raise BadInput(where=trouble.where, seen=trouble.seen, wanted=trouble.wanted, next_step=trouble.next_step)
    files = picture.files
    if files is None or files.buildspec is None:
        raise BadInput(
            where=str(files.directory) if files else "",
            seen="no buildspec",
            wanted="the buildspec of a rolling deployment",
            next_step="name the folder that holds buildspec.yml",
        )
    return files


def _container(files: Files, wishes: Wishes) -> str:
    """The container that the traffic goes to: told, or the one that every file agrees on."""
    if wishes.container:
        return wishes.container
    built = files.facts.container.value if files.facts and files.facts.container else ""
    defined = [item.text("name") for item in files.containers()]
    committed = [item.text("name") for item in _definitions(files)]
    names = [built] if built else defined or committed
    if len(names) == 1 and names[0]:
        return names[0]
    raise BadInput(
        where=files.buildspec.source.name if files.buildspec else "",
        seen=f"the containers {', '.join(names)}" if names else f"no {DEFINITIONS} that names a container",
        wanted="the container that receives the traffic",
        next_step="name it: --container NAME",
    )


def _definitions(files: Files) -> tuple[Node, ...]:
    """The entries of a committed imagedefinitions.json."""
    found = next((one for one in files.image_files if one.source.name == DEFINITIONS), None)
    return found.root.items if found else ()


def _handed_over_image(files: Files, container: str) -> str | None:
    """The image that a committed imagedefinitions.json has for a container, where no command writes that file."""
    written = any(write.name == DEFINITIONS for write in files.trace.writes) if files.trace else False
    found = [item.text("imageUri") for item in _definitions(files) if item.text("name") == container]
    return found[0] if found and not written and len(files.trace.pushes if files.trace else ()) > 1 else None


def _task_definition(files: Files, tree: Tree, wishes: Wishes, container: str) -> tuple[Edit, str]:
    """taskdef.json with the placeholder: the file that is there, or one made from the running revision."""
    if files.taskdef is not None and _has_its_own(files):
        return _with_placeholder(files.taskdef, wishes, container), "the image of the container is the placeholder"
    answer = _described(files, wishes)
    try:
        text = taskdef.from_running(answer, containers={container: wishes.placeholder})
    except BadInput as error:
        where = error.where or str(wishes.described or (files.taskdef and files.taskdef.source.name) or "")
        raise BadInput(where=where, seen=error.seen, wanted=error.wanted, next_step=error.next_step) from error
    return Edit(
        TASKDEF, tree.looked_at(TASKDEF), text, ()
    ), "made from the running revision, without what describe adds"


def _has_its_own(files: Files) -> bool:
    return files.taskdef is not None and files.taskdef.source.name == TASKDEF


def _described(files: Files, wishes: Wishes) -> Mapping[str, Any]:
    """A task definition as DescribeTaskDefinition answers it."""
    if wishes.described is not None:
        document = parse_json(read(wishes.described), name=wishes.described.name)
        plain = dict_of(document.top_map("a JSON object"))
        return plain if "taskDefinition" in plain else {"taskDefinition": plain, "tags": plain.get("tags")}
    if files.taskdef is not None:
        return {"taskDefinition": dict_of(files.taskdef.root), "tags": dict_of(files.taskdef.root).get("tags")}
    raise BadInput(
        where=str(files.directory),
        seen="no task definition",
        wanted="the revision that runs: cpu, memory and roles are nowhere else",
        next_step=f"{_DESCRIBE}, then --task-definition described.json",
    )


def _with_placeholder(document: Document, wishes: Wishes, container: str) -> Edit:
    items = items_of(document.root, "containerDefinitions")
    item = next((one for one in items if one.text("name") == container), None)
    image = item.get("image") if item else None
    if image is None:
        names = ", ".join(one.text("name") for one in items)
        raise document.bad(
            item or document.root,
            seen=f"the containers {names}" if item is None else f"no image of {container}",
            wanted=f"the container {container} with an image",
            next_step="name one of the containers: --container NAME",
        )
    if PLACEHOLDER.fullmatch(image.raw):
        return edited(document.source, (), ())
    splice = text_written(document, image, f"<{wishes.placeholder}>")
    return edited(document.source, (splice,) if splice else (), ())


def _port(definition: Edit, wishes: Wishes, container: str) -> int:
    found = {one.name: one.ports for one in taskdef.containers(definition.after, name=definition.name)}
    ports = found.get(container, ())
    if wishes.port is None and len(ports) == 1:
        return ports[0]
    if wishes.port is not None and wishes.port in ports:
        return wishes.port
    raise BadInput(
        where=definition.name,
        seen=f"{container} with the ports {', '.join(map(str, ports)) or '(none)'}",
        wanted="one of its ports" if wishes.port is None else f"the port {wishes.port} among them",
        next_step="name the one that the load balancer uses: --port N",
    )


def _appspec(files: Files, container: str, port: int) -> Edit:
    """The AppSpec that is there, or a new one."""
    if files.appspec is not None:
        return edited(files.appspec.source, (), ())
    return Edit(APPSPEC, "", appspec.build(appspec.AppSpec(container=container, port=port)), ())


def _buildspec(spec: Buildspec, files: Files, container: str, image: str | None) -> Edit:
    """The buildspec that writes imageDetail.json and hands over all three files."""
    name, before = spec.source.name, spec.source.whole
    missing = (repair for repair in buildspec.repairs(spec.source, name=name) if repair.rule == "no_artifacts_block")
    block = next(missing, None)
    text = block.edit.after if block else before
    appspec_name = files.appspec.source.name if files.appspec else APPSPEC
    handed_over = (DETAIL, appspec_name, TASKDEF)
    edit = buildspec.to_blue_green(text, files=handed_over, container=container, image=image, name=name)
    return Edit(name, before, edit.after, edit.reasons)


def _together(made: list[Edit], repaired: tuple[Edit, ...], taskdef_reason: str) -> tuple[Edit, ...]:
    """One edit a file, from what it was to what it becomes."""
    later = {edit.name: edit for edit in repaired}
    edits: dict[str, Edit] = {}
    for edit in made:
        after = later.pop(edit.name, None)
        reasons = edit.reasons or ((taskdef_reason,) if edit.name == TASKDEF and edit.changed else ())
        told = (*reasons, *(after.reasons if after else ()))
        edits[edit.name] = Edit(edit.name, edit.before, after.after if after else edit.after, told)
    return (*edits.values(), *later.values())
