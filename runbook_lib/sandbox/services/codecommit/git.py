"""Git objects as plain bytes: blobs, trees and commits by their real hashes, so that git itself can clone them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from dulwich.objects import Blob, Commit, ShaFile, Tree

NORMAL, EXECUTABLE, SYMLINK, FOLDER = 0o100644, 0o100755, 0o120000, 0o040000

Objects = dict[str, tuple[int, bytes]]  # hash -> (git's number of the type, content)
Files = dict[str, "Entry"]  # path -> entry, of a whole tree


@dataclass(frozen=True)
class Entry:
    """A file in a tree: its mode and the hash of its content."""

    mode: int
    blob: str


@dataclass(frozen=True)
class Person:
    """An author or committer."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True)
class Committed:
    """A commit, read; times are epoch seconds."""

    id: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: str
    author_time: int
    author_zone: int
    committer: str
    commit_time: int
    commit_zone: int


@dataclass
class Store:
    """The objects of one repository and its branches."""

    objects: Objects = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def put(self, made: ShaFile) -> str:
        """Keep an object; its hash."""
        name = made.id.decode()
        self.objects[name] = (made.type_num, made.as_raw_string())
        return name

    def put_blob(self, content: bytes) -> str:
        return self.put(Blob.from_string(content))

    def blob(self, name: str) -> bytes | None:
        """The content of a blob; None when there is no such blob."""
        kind, content = self.objects.get(name, (0, b""))
        return content if kind == Blob.type_num else None

    def commit(self, name: str) -> Committed | None:
        """A commit by its full hash; None when there is no such commit."""
        kind, content = self.objects.get(name, (0, b""))
        return _commit(name, content) if kind == Commit.type_num else None

    def tree(self, name: str) -> list[tuple[str, int, str]]:
        """The entries of a tree: name, mode, hash."""
        return [(path.decode(), mode, sha.decode()) for path, mode, sha in _tree(self.objects[name][1]).iteritems()]

    def files(self, tree: str, prefix: str = "") -> Files:
        """All files of a tree, by path, sorted."""
        found: Files = {}
        for name, mode, sha in self.tree(tree):
            if mode == FOLDER:
                found.update(self.files(sha, f"{prefix}{name}/"))
            else:
                found[prefix + name] = Entry(mode, sha)
        return dict(sorted(found.items()))

    def put_tree(self, files: Mapping[str, Entry]) -> str:
        """Keep the trees that hold these files; the hash of the outermost."""
        folders: dict[str, dict[str, Entry]] = {}
        tree = Tree()
        for path, entry in files.items():
            head, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(head, {})[rest] = entry
            else:
                tree.add(head.encode(), entry.mode, entry.blob.encode())  # type: ignore[arg-type]
        for name, inner in folders.items():
            tree.add(name.encode(), FOLDER, self.put_tree(inner).encode())  # type: ignore[arg-type]
        return self.put(tree)

    def put_commit(self, *, tree: str, parents: list[str], author: Person, message: str, time: float) -> str:
        """Keep a commit made now, in UTC."""
        made = Commit()
        made.tree = tree.encode()  # type: ignore[assignment]
        made.parents = [parent.encode() for parent in parents]  # type: ignore[misc]
        made.author = made.committer = str(author).encode()
        made.author_time = made.commit_time = int(time)
        made.author_timezone = made.commit_timezone = 0
        made.message = message.encode()
        return self.put(made)


@functools.lru_cache(maxsize=4096)
def _tree(content: bytes) -> Tree:
    return Tree.from_string(content)


@functools.lru_cache(maxsize=4096)
def _commit(name: str, content: bytes) -> Committed:
    read = Commit.from_string(content)
    return Committed(
        id=name,
        tree=read.tree.decode(),
        parents=tuple(parent.decode() for parent in read.parents),
        message=read.message.decode(errors="replace"),
        author=read.author.decode(errors="replace"),
        author_time=read.author_time,
        author_zone=read.author_timezone,
        committer=read.committer.decode(errors="replace"),
        commit_time=read.commit_time,
        commit_zone=read.commit_timezone,
    )
