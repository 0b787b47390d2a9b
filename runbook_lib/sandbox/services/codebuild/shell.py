"""One shell for all commands of a build: what bash is told for a phase, and what it tells back.

Every phase is a process of its own.  It takes over the shell where the last one left it (variables, functions,
options, folder) and leaves it in turn, so that the commands see one shell (build-spec-ref: version 0.2).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runbook_lib.sandbox.shims.seat import DOOR, DOOR_VARIABLES, FOLDER

STATE, EXPORTED, DRIVER = "state.sh", "exported", "driver.sh"
SCRIPT = "codebuild/output/tmp/script.sh"
MARK = "\x1e"
WORDS = re.compile(r"now [\d.]+|begin \d+|end \d+ \d+")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FORGET = "unset ${!AWS_@} ${!RUNBOOK_SANDBOX_@}"

PROGRAM = r"""
exec 63>&1
printf '%s\n' @door@ > @folder@/@door_file@
@forget@
__codebuild_mark() { builtin printf '\036%s\n' "$*" >&63; }
__codebuild_save() {
  __codebuild_ifs=$IFS; IFS=$' \t\n'
  {
    for __codebuild_name in $(compgen -v); do
      case $__codebuild_name in
        __codebuild_*|BASH*|FUNCNAME|DIRSTACK|GROUPS|PIPESTATUS|RANDOM|SRANDOM|SECONDS|EPOCH*|LINENO|COMP_*|HISTCMD) ;;
        _|EUID|UID|PPID|SHELLOPTS|SHLVL|IFS|OLDPWD|PWD|CODEBUILD_BUILD_SUCCEEDING) ;;
        *) declare -p "$__codebuild_name" ;;
      esac
    done
    builtin printf 'IFS=%q\n' "$__codebuild_ifs"
    declare -f
    shopt -p
    builtin printf 'cd %q\n' "$PWD"
    umask -p
    builtin printf '%s\n' "$__codebuild_options" "__codebuild_traced='$__codebuild_traced'"
  } >| @folder@/@state@ 2>/dev/null
  for __codebuild_name in @exported@; do
    builtin printf '%s=%s\0' "$__codebuild_name" "${!__codebuild_name}"
  done >| @folder@/@exported_file@ 2>/dev/null
}
__codebuild_untrace() { case $- in *x*) set +x; __codebuild_traced='set -x; ' ;; *) __codebuild_traced= ;; esac; }
__codebuild_leave() {
  { __codebuild_status=$?
    if [ "$__codebuild_inside" = 1 ]; then __codebuild_untrace; fi
    __codebuild_options=$(set +o); set +eu; trap - EXIT
  } 2>/dev/null
  if [ "$__codebuild_inside" = 1 ]; then __codebuild_mark "end $__codebuild_at $__codebuild_status"; fi
  __codebuild_save
}
__codebuild_commands=(@commands@)
__codebuild_last=@last@
__codebuild_at=$((@start@ - 1))
__codebuild_inside=0
__codebuild_skip=0
__codebuild_traced=
. @folder@/@state@
export CODEBUILD_BUILD_SUCCEEDING=@succeeding@
command_not_found_handle() { echo "skipped in the sandbox: $*" >&2; }
trap __codebuild_leave EXIT
while { ((++__codebuild_at < ${#__codebuild_commands[*]})); } 2>/dev/null; do
  {
    if [ $__codebuild_skip = 1 ] && [ $__codebuild_at -lt $__codebuild_last ]; then continue; fi
    builtin printf '%s%s\n' "$__codebuild_traced" "${__codebuild_commands[$__codebuild_at]}" >| @script@
    __codebuild_mark "begin $__codebuild_at"
    __codebuild_inside=1
  } 2>/dev/null
  . @script@
  {
    __codebuild_status=$?
    __codebuild_untrace
    __codebuild_inside=0
    __codebuild_mark "end $__codebuild_at $__codebuild_status"
    if [ $__codebuild_status != 0 ]; then
      __codebuild_skip=1
      if [ $__codebuild_at -ge $__codebuild_last ]; then break; fi
    fi
  } 2>/dev/null
done
{
  case $(trap -p EXIT) in  # a trap of the commands has taken the place of ours
    *__codebuild_leave*) ;;
    *) __codebuild_options=$(set +o); set +eu; __codebuild_save ;;
  esac
} 2>/dev/null
exit 0
"""


@dataclass(frozen=True)
class Job:
    """What one run of the shell is to do: the commands from `start` on, those after `last` in any case."""

    commands: tuple[str, ...]
    finally_: tuple[str, ...]
    start: int
    succeeding: bool
    exported: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.commands, *self.finally_)


@dataclass(frozen=True)
class Step:
    """What came of one command: its number, what it wrote as (world's time, text), its exit code (None: never said)."""

    number: int
    output: tuple[tuple[float, str], ...]
    status: int | None


def write_state(root: str, variables: Mapping[str, str], directory: str) -> None:
    """The shell in which the first phase begins."""
    # A name that no shell can have is one that no command can read.
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if NAME.fullmatch(name)]
    Path(root, FOLDER, STATE).write_text("\n".join([*lines, f"cd {shlex.quote(directory)}", "umask 0022", ""]))


def command(root: str, shell: str, job: Job, *, keep_door: str) -> list[str]:
    """The command that runs one phase.

    keep_door is the path at which the commands find AWS, which then are left the world's address and credentials; ""
    leaves them nothing.
    """
    folder = f"{root}/{FOLDER}"
    filled = {
        "folder": shlex.quote(folder),
        "script": shlex.quote(f"{root}/{SCRIPT}"),
        "door": " ".join(f'"${name}"' for name in DOOR_VARIABLES),
        "door_file": DOOR,
        "forget": f'AWS_ENDPOINT_URL="$RUNBOOK_SANDBOX_URL"{shlex.quote(keep_door)}' if keep_door else FORGET,
        "state": STATE,
        "exported": " ".join(name for name in job.exported if NAME.fullmatch(name)),
        "exported_file": EXPORTED,
        "commands": " ".join(shlex.quote(each) for each in job.all),
        "last": str(len(job.commands)),
        "start": str(job.start),
        "succeeding": str(int(job.succeeding)),
    }
    Path(folder, DRIVER).write_text(_fill(PROGRAM, filled))
    posix = [] if shell == "bash" else ["--posix"]
    return [f"{root}/usr/bin/bash", "--noprofile", "--norc", *posix, f"{folder}/{DRIVER}"]


def _fill(text: str, values: Mapping[str, str]) -> str:
    # In one pass: a command may hold what looks like another name.
    pieces = text.split("@")
    return "".join(values[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def steps(output: str, started: float) -> list[Step]:
    """What the commands wrote, one by one; `started` is the world's time when the shell began."""
    found: list[Step] = []
    now, text, number = started, [], -1
    for piece in _pieces(output):
        if not isinstance(piece, tuple):
            text.append((now, piece))
            continue
        word, *rest = piece
        if word == "now":
            now = float(rest[0])
        elif word == "begin":
            number = int(rest[0])
        else:
            found.append(Step(int(rest[0]), tuple(text), int(rest[1])))
            number, text = -1, []
    if number >= 0:
        found.append(Step(number, tuple(text), None))
    elif found and text:  # what a trap wrote when the shell ended
        found[-1] = replace(found[-1], output=(*found[-1].output, *text))
    return found


def _pieces(output: str) -> Sequence[str | tuple[str, ...]]:
    first, *others = output.split(MARK)
    pieces: list[str | tuple[str, ...]] = [first] if first else []
    for each in others:
        mark, _, text = each.partition("\n")
        if not WORDS.fullmatch(mark):  # a command wrote that character itself
            pieces.append(MARK + each)
            continue
        pieces.append(tuple(mark.split()))
        if text:
            pieces.append(text)
    return pieces


def read_exported(root: str) -> dict[str, str]:
    """The variables that the last shell left for export."""
    path = Path(root, FOLDER, EXPORTED)
    content = path.read_bytes().decode(errors="replace") if path.exists() else ""
    return dict(entry.partition("=")[::2] for entry in content.split("\0") if entry)
