"""Read an existing service, and write its parameter file and a picture of the system; nothing is changed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runbook_lib.cli import output
from runbook_lib.errors import BadInput, Refused

if TYPE_CHECKING:
    from runbook_lib.account import Account
    from runbook_lib.survey.found import Found


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook init`."""
    parser.add_argument("--cluster", required=True, metavar="C", help="name of the ECS cluster")
    parser.add_argument("--service", required=True, metavar="S", help="name of the service in it")
    parser.add_argument("--pipeline", metavar="P", help="its pipeline (left out: the one that deploys to it)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="parameter file to write (params/NAME.yaml, else NAME.yaml)"
    )
    parser.add_argument("--overwrite", action="store_true", help="write over files that are there")
    parser.add_argument("--account", metavar="N", help="refuse credentials of any other account")
    parser.add_argument("--region", metavar="R", help="region (left out: that of the profile)")
    parser.add_argument("--profile", metavar="P", help="profile of the AWS configuration")


def carry_out(arguments: argparse.Namespace) -> int:
    """Read, write, show."""
    from runbook_lib.survey import drawing, reading, writing

    _yaml(arguments.output)
    account = _opened(arguments)
    found = reading.read_existing(
        account, cluster=arguments.cluster, service=arguments.service, pipeline=arguments.pipeline
    )
    file = arguments.output or _usual(found)
    texts = {
        file: writing.parameters(found, target=account.target, profile=arguments.profile),
        file.with_suffix(".md"): drawing.page(found),
    }
    _free(texts, overwrite=arguments.overwrite)
    for path, text in texts.items():
        output.write(path, text, make_folder=True)
    print(drawing.tree(found))
    print(f"\nparameters: {file}\npicture:    {file.with_suffix('.md')}\nnext:       runbook check -f {file}")
    return 0


def _yaml(file: Path | None) -> None:
    if file and file.suffix not in (".yaml", ".yml"):
        seen, wanted = f"--output {file}", "a name that ends in .yaml"
        raise BadInput(where="runbook init", seen=seen, wanted=wanted, next_step="name the parameter file")


def _opened(arguments: argparse.Namespace) -> Account:
    """AWS, or the sandbox that is served where the environment names one."""
    from runbook_lib.account import SANDBOX_URL, identified, open_account

    target: Literal["sandbox", "aws"] = "sandbox" if os.environ.get(SANDBOX_URL) else "aws"
    who = identified(target=target, profile=arguments.profile, region=arguments.region)
    if arguments.account and who.account != arguments.account:
        raise Refused(
            where="runbook init",
            seen=f"credentials of account {who.account}",
            wanted=f"account {arguments.account}",
            next_step="use the credentials of that account, or correct --account; nothing was written",
        )
    return open_account(who)


def _usual(found: Found) -> Path:
    from runbook_lib.survey.writing import own_name

    folder = Path("params")
    return (folder if folder.is_dir() else Path()) / f"{own_name(found)}.yaml"


def _free(texts: dict[Path, str], *, overwrite: bool) -> None:
    """Refuse to write over anything but the same content, or with consent."""
    for file, text in texts.items():
        if file.is_dir():
            raise BadInput(where=str(file), seen="a folder", wanted="a file", next_step="name a file: --output FILE")
        if file.exists() and not overwrite and file.read_bytes() != text.encode():
            raise BadInput(
                where=str(file),
                seen="a file with other content",
                wanted="a name that is free",
                next_step="name another file with --output, or consent with --overwrite; nothing was written",
            )
