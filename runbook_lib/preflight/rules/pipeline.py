"""A: the pipeline, its artifacts, and the files that the deploy action reads from them."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.documents.appspec.check import PLACEHOLDER as TASK_DEFINITION
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, fail, ok

SLOTS = (1, 2, 3, 4)  # CodePipeline user guide, action-reference-ECSbluegreen: at most four images


def placeholder(picture: Picture) -> Iterator[Answer]:
    """A6: every placeholder of taskdef.json is one that the deploy action replaces, and the other way round."""
    files, pipeline = picture.files, picture.pipeline
    assert files is not None
    assert files.taskdef is not None
    assert pipeline is not None
    for action in pipeline.blue_green:
        keys = {f"Image{number}ContainerName" for number in SLOTS} & set(action.configuration)
        replaced = {str(action.configuration[key]): key for key in sorted(keys)}
        written = {image.raw.strip("<>"): image for image in files.placeholders()}
        for name, image in written.items():
            where = files.taskdef.where(image)
            if name in replaced:
                yield ok(where, f"<{name}>", f"<{name}>, which {replaced[name]} replaces")
            else:
                wanted = " or ".join(f"<{known}>" for known in replaced) or "a placeholder that the action replaces"
                yield fail(where, f"<{name}>", wanted, f"write {wanted}, or set Image1ContainerName to {name}")
        for name in sorted(set(replaced) - set(written)):
            where = pipeline.where(action, replaced[name])
            remedy = 'write it as the image of the container: "image": "<' + name.strip("<>") + '>"'
            yield fail(where, name, "the name of a placeholder in taskdef.json, without brackets", remedy)


def task_definition(picture: Picture) -> Iterator[Answer]:
    """A7: the AppSpec's TaskDefinition is the fixed text that the deploy action replaces."""
    files = picture.files
    assert files is not None
    assert files.appspec is not None
    properties = files.appspec_properties()
    node = properties.get("TaskDefinition") if properties else None
    where = files.appspec.where(node or properties or files.appspec.root)
    seen = node.raw if node else "no TaskDefinition"
    if seen == TASK_DEFINITION:
        yield ok(where, seen, TASK_DEFINITION)
    else:
        yield fail(where, seen, TASK_DEFINITION, f"write TaskDefinition: {TASK_DEFINITION}")


RULES = (
    Rule("A6", ("files.taskdef", "pipeline"), placeholder),
    Rule("A7", ("files.appspec",), task_definition),
)
