"""C and D, as far as the files alone tell: sizes, containers and ports, hooks."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.documents.appspec.repair import container_written
from runbook_lib.documents.edit import Edit
from runbook_lib.preflight.picture import Files, Picture
from runbook_lib.preflight.rule import Answer, Rule, called, fail, of_finding, ok


def size(picture: Picture) -> Iterator[Answer]:
    """C14: cpu and memory are a pair that Fargate offers."""
    files = _files(picture)
    assert files.taskdef is not None
    found = files.of("taskdef_size", "taskdef_no_size")
    yield from (of_finding(finding) for finding in found)
    if not found:
        root = files.taskdef.root
        seen = f"cpu {root.text('cpu')}, memory {root.text('memory')}"
        yield ok(files.taskdef.where(root), seen, "a pair that Fargate offers")


def container(picture: Picture) -> Iterator[Answer]:
    """D11: the AppSpec's container is one of the task definition's, and has that port."""
    files = _files(picture)
    assert files.appspec is not None
    assert files.taskdef is not None
    properties = files.appspec_properties()
    info = properties.get("LoadBalancerInfo") if properties else None
    name, port = (info.get(key) if info else None for key in ("ContainerName", "ContainerPort"))
    if name is None or port is None:
        place = files.appspec.where(info or properties or files.appspec.root)
        seen = f"container {name.raw if name else 'not named'}, port {port.raw if port else 'not named'}"
        answer = fail(place, seen, f"a container of {files.taskdef.source.name} and its port", "name both")
        yield called(answer, "container_name_mismatch")
        return
    known = {item.text("name"): item for item in files.containers()}
    wanted = f"a container of {files.taskdef.source.name}: {', '.join(known)}"
    if name.raw not in known:
        answer = fail(files.appspec.where(name), name.raw, wanted, f"write ContainerName: {next(iter(known), '')}")
        yield called(answer, "container_name_mismatch")
        return
    yield ok(files.appspec.where(name), name.raw, wanted)
    mappings = known[name.raw].get("portMappings")
    ports = [item.text("containerPort") for item in mappings.items] if mappings else []
    wanted = f"a port of the container {name.raw}: {', '.join(ports) or 'it has none'}"
    good = port.raw.strip("\"'") in ports
    where = files.appspec.where(port)
    yield ok(where, port.raw, wanted) if good else fail(where, port.raw, wanted, "write the container's port in both")


def mend_container(picture: Picture) -> Iterator[Edit]:
    """Name and port of the only container, where a third file agrees with the task definition against the AppSpec.

    For the name that is the buildspec (imagedefinitions.json names it), for the port the Dockerfile.
    """
    files = _files(picture)
    spec, containers = files.appspec, files.containers()
    if spec is None or len(containers) != 1 or files.is_filled_in(spec.source.name):
        return
    name = containers[0].text("name")
    built = files.facts.container.value if files.facts and files.facts.container else ""
    mappings = containers[0].get("portMappings")
    ports = {item.text("containerPort") for item in mappings.items} if mappings else set()
    exposed = {str(port) for port, _ in files.dockerfile.ports} if files.dockerfile else set()
    port = next(iter(ports)) if len(ports) == 1 and ports == exposed else None
    made = container_written(spec, name=name if name and name == built else None, port=port)
    yield from [made] if made else ()


def _files(picture: Picture) -> Files:
    assert picture.files is not None
    return picture.files


RULES = (
    Rule("C14", ("files.taskdef",), size),
    Rule("D11", ("files.appspec", "files.taskdef"), container, mend_container),
)
