"""git's own protocol over HTTP: what `git clone`, `git fetch` and `git push` speak to /v1/repos/NAME."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codecommit import branches, lookup
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from dulwich.repo import MemoryRepo

    from runbook_lib.sandbox.world import World

PREFIX = "/v1/repos/"
HEADS = b"refs/heads/"


def application(world: World) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that serves the world's repositories; a push is taken over when its answer is complete."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        from dulwich.server import DictBackend
        from dulwich.web import make_wsgi_chain

        name, _, rest = environ["PATH_INFO"].removeprefix(PREFIX).partition("/")
        name = name.removesuffix(".git")
        repository = lookup.store(world).repositories.get(name)
        if repository is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [f"repository {name} not found".encode()]
        served = _served(repository)
        served_as: dict[str, Any] = {f"/{name}": served}
        git = make_wsgi_chain(DictBackend(served_as))
        answer = list(git({**environ, "PATH_INFO": f"/{name}/{rest}"}, start_response))
        _take_over(world, repository, served, caller=_caller(world, environ))
        return answer

    return serve


def _served(repository: Repository) -> MemoryRepo:
    from dulwich.objects import ShaFile
    from dulwich.repo import MemoryRepo

    served = MemoryRepo()
    for kind, content in repository.git.objects.values():
        served.object_store.add_object(ShaFile.from_raw_string(kind, content))
    for branch, commit in repository.git.branches.items():
        served.refs[HEADS + branch.encode()] = commit.encode()  # type: ignore[index, assignment]
    served.refs.set_symbolic_ref(b"HEAD", HEADS + (repository.default_branch or "main").encode())  # type: ignore[arg-type]
    return served


def _caller(world: World, environ: dict[str, Any]) -> str:
    """Who pushes: the access key that `aws codecommit credential-helper` gives git for a name, or else the operator."""
    scheme, _, told = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    try:
        name = base64.b64decode(told).decode() if scheme == "Basic" else ""
    except ValueError:
        return world.operator  # no name that anybody could have: nothing is asked of who may push
    return world.principals.get(re.split("[%:]", name)[0], world.operator)


def _take_over(world: World, repository: Repository, served: MemoryRepo, *, caller: str) -> None:
    for name in served.object_store:
        if name.decode() not in repository.git.objects:
            repository.git.put(served.object_store[name])
    pushed = {
        reference.removeprefix(HEADS).decode(): commit.decode()
        for reference, commit in served.refs.as_dict().items()
        if reference.startswith(HEADS)
    }
    former = dict(repository.git.branches)
    for branch in sorted({*pushed, *former}):
        if pushed.get(branch) != former.get(branch):
            branches.move(world, repository, branch, pushed.get(branch), caller=caller)
