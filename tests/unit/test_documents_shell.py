"""Shell commands as a buildspec has them: words as bash makes them, statements in their order, errors stepped over."""

from __future__ import annotations

import subprocess
import time

import pytest

from runbook_lib.documents import buildspec
from runbook_lib.documents.shell import Scope, Statement, read_script, text_of, used_by

KNOWN = {"URI": "1.dkr.ecr.eu-west-1.amazonaws.com/web", "TAG": "5d1c2ab98f00", "EMPTY": ""}
# One command each, given to a function that prints its arguments: quoting, expansions, words that touch.
WORDS = [
    "show a 'b  c' \"d e\" f\\ g h\\\\i",
    'show "$URI:$TAG" $URI:latest ${URI}:${TAG:0:7} "${TAG%00}" ${TAG#5d}',
    "show --tag=$URI.$TAG.x $URI.dkr.$TAG.y:z -t=\"$URI\"'$TAG'",
    'show "a\\$b\\"c\\d" a\\$b \'\\n\' $\'x\\ty\' $"plain" "" \'\'',
    'show ${NONE:-else} "${EMPTY:-for $TAG}" ${TAG:-no} "cost $" 5$ a{b c}',
    'show \'[{"name":"web","imageUri":"%s"}]\' "{\\"a\\":\\"$TAG\\"}" [] =x',
    "show one \\\n  two \\\n  three",
    'show \u00e9t\u00e9 "$TAG \u20ac" na\u00efve=$TAG',
    "X=1 show a >/dev/null 2>&1 b",
    "show a > /dev/stdout b c",
]
ORDER = [
    ("a && b || c; d | e", ["a", "b", "c", "d", "e"], ["", "&&", "||", "", "|"]),
    ("if a; then b; else (c; d) | e; fi", ["a", "b", "c", "d", "e"], ["", "", "", "", "|"]),
    ("for x in 1 2; do a $x; done; b", ["", "a", "b"], ["", "", ""]),
    ("case $X in y) a;; *) b && c;; esac", ["a", "b", "c"], ["", "", "&&"]),
    ("cat <<E > f && a\ntext $X\nE\nb", ["cat", "a", "b"], ["", "&&", ""]),
    ("f() { a; }; ! b & c", ["a", "b", "c"], ["", "", ""]),
    ("sudo time a; X=1 b; X=2; export Y=3", ["a", "b", "", "export"], ["", "", "", ""]),
]
OPEN = [
    ("echo 'abc", "a ' that is never closed"),
    ('a; echo "abc', 'a " that is never closed'),
    ("echo $(ls", "a $( that is never closed"),
    ("echo ${a", "a ${ that is never closed"),
    ("echo `ls", "a ` that is never closed"),
]
HOSTILE = ["a | ", "a=(", "f() ", "${", "$(", '"', "(", "if ", "a && ", "a>b && ", "case a in a) ", "<<E ", "\\", "'$("]


def only(text: str) -> Statement:
    (statement,) = read_script(text).statements
    return statement


@pytest.mark.parametrize("command", WORDS)
def test_words_are_those_that_bash_makes(command: str) -> None:
    """Run by bash, a command gets the very arguments that were read, where the file tells all of them."""
    variables = "; ".join(f"{name}='{value}'" for name, value in KNOWN.items())
    script = f"{variables}; show() {{ printf '%s\\0' \"$@\" >&3; }}; {command}"
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&1; {script}"], capture_output=True, timeout=10, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    scope = Scope(KNOWN)
    read = [text_of(scope.value(word)) for word in only(command).arguments]
    assert read == done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(("text", "programs", "joiners"), ORDER)
def test_statements_come_in_their_order(text: str, programs: list[str], joiners: list[str]) -> None:
    """Also inside if, for, case, ( ), functions, and behind a here-document's first line."""
    found = read_script(text)
    assert found.unread is None
    assert ([one.program for one in found.statements], [one.joiner for one in found.statements]) == (programs, joiners)


def test_a_here_document_is_text_with_its_expansions() -> None:
    """Leading tabs go with <<-, expansions stay unless the delimiter is quoted."""
    (body,) = (one.redirects[0].body for one in read_script("cat <<-E > f\n\ta $X\n\t b\n\tE").statements)
    assert body is not None
    assert [(piece.text, piece.expands) for piece in body] == [("a ", False), ("$X", True), ("\n b\n", False)]
    quoted = only("cat <<'E' > f\na $X\nE").redirects[0].body
    assert quoted is not None
    assert [(piece.text, piece.expands) for piece in quoted] == [("a $X\n", False)]


@pytest.mark.parametrize(("text", "seen"), OPEN)
def test_what_is_never_closed_is_certain_and_the_rest_is_read(text: str, seen: str) -> None:
    """bash refuses it as well; what stands before it is still there."""
    found = read_script(text)
    assert subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode != 0
    assert found.unread is not None
    assert found.unread.certain
    assert seen in found.unread.seen
    assert found.statements[0].words


def test_reading_goes_on_behind_an_error() -> None:
    """The commands around a line that makes no sense are found."""
    found = read_script("docker build -t a .\n)\ndocker push a")
    assert found.unread is not None
    told = [" ".join(word.raw for word in one.words) for one in found.statements]
    assert (told[0], told[-1]) == ("docker build -t a .", "docker push a")


def test_what_only_the_grammar_cannot_read_is_no_failure() -> None:
    """bash takes `) fi`, tree-sitter's grammar does not: it is told as doubtful, and the commands are found."""
    text = "if a; then b; else (c; d) fi"
    assert subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode == 0
    found = read_script(text)
    assert found.unread is None or not found.unread.certain
    assert [one.program for one in found.statements] == ["a", "b", "c", "d"]


def test_an_error_has_the_line_and_column_of_its_quote() -> None:
    """Inside a block and in a command of one line."""
    text = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        true\n        echo 'x\n      - echo \"y\n"
    )
    places = [one.where for one in buildspec.check(text) if one.rule == "buildspec_shell"]
    assert places == ["buildspec.yml:7:14", "buildspec.yml:8:14"]


def test_variables_are_found_wherever_the_shell_looks_them_up() -> None:
    """In words, values, defaults, tests, here-documents and commands inside $( ), but not where they are set."""
    text = 'A="${B:-$C}" x "$(y `z $D`)" > $E <<< "$F"; [ "$G" = x ]; for h in $I; do J=1; done; echo \'$K\''
    found = [name for one in read_script(text).statements for name in used_by(one)]
    assert sorted(found) == ["B", "C", "D", "E", "F", "G", "I"]


def test_a_directory_lasts_as_long_as_its_subshell() -> None:
    """Two ( ) after each other are two."""
    first, second, third = read_script("(a); (b); c").statements
    assert len({first.subshells, second.subshells, third.subshells}) == 3


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_is_read_in_bounded_time(unit: str) -> None:
    """As long as a command may be, a few seconds at most on a busy machine, and no traceback."""
    began = time.monotonic()
    read_script(unit * (8192 // len(unit)))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("text", ["echo " + "x" * 9000, "(" * 200 + ")" * 200, "$(" * 60 + ")" * 60])
def test_too_long_or_too_deep_is_said_and_not_read(text: str) -> None:
    """Not measured is not good: it is doubtful, and nothing of it is taken for read."""
    found = read_script(text)
    assert found.unread is not None
    assert not found.unread.certain
    assert found.statements == ()
