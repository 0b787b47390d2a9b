"""Reads the live side of the picture; a part that AWS does not let us read becomes a trouble."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.preflight.account.live import read_live
from runbook_lib.preflight.account.parts import Parts
from runbook_lib.preflight.account.pipeline import read_pipeline
from runbook_lib.preflight.live import Live, Names
from runbook_lib.preflight.permissions import read_grants
from runbook_lib.preflight.picture import APPSPEC, TASKDEF, Picture, Pipeline, Trouble
from runbook_lib.preflight.reading import read_some
from runbook_lib.preflight.wish import Wish
from runbook_lib.repository import read_repository
from runbook_lib.service import read_service

if TYPE_CHECKING:
    from runbook_lib.account import Account
    from runbook_lib.system import System


def names_of(system: System) -> Names:
    """The names of a system that the runbooks made."""
    return Names(
        cluster=system.cluster,
        service=system.service,
        application=system.deploy_application,
        group=system.deploy_group,
        pipeline=system.pipeline,
        project=system.project,
        registry=system.registry,
        rule=system.rule,
    )


def read_system(account: Account, system: System, wish: Wish | None = None, *, branch: str | None = None) -> Picture:
    """The picture of a system of the parameters: its account, and the files on a branch (None: the pipeline's).

    What somebody wishes to make takes the place of what is there.
    """
    picture, wish = _repository_files(account, system, branch), wish or Wish()
    if wish.pipeline:
        picture = replace(picture, pipeline=Pipeline("the pipeline that is wished for", wish.pipeline))
    limit = system.params.release.limit_minutes
    return replace(read_account(account, wish.named(_names_now(account, system)), picture, wish), limit_minutes=limit)


def _names_now(account: Account, system: System) -> Names:
    """The names of the system; before 15_move_service the service is the one with rolling deployments."""
    try:
        moved = read_service(account, system, system.service)
        rolling = None if moved else read_service(account, system, system.rolling_service)
    except (ClientError, BotoCoreError):
        return names_of(system)  # what cannot be read becomes a trouble of its part
    return replace(names_of(system), service=rolling.name) if rolling else names_of(system)


def _repository_files(account: Account, system: System, branch: str | None) -> Picture:
    application = system.application
    paths = [TASKDEF, APPSPEC, application.buildspec_path, application.dockerfile_path]
    try:
        found = read_repository(account, system, [path for path in paths if path], branch=branch)
    except (ClientError, BotoCoreError) as error:
        trouble = Trouble("files", system.repository, str(error), "the repository's files", "allow reading it")
        return Picture(troubles=(trouble,))
    with tempfile.TemporaryDirectory() as folder:
        for path, content in found.files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return read_some(Path(folder)) if found.files else Picture()


def read_account(account: Account, names: Names, picture: Picture, wish: Wish | None = None) -> Picture:
    """The picture with its live side; parts that cannot be read become troubles."""
    parts = Parts()
    subnets = picture.files.appspec_subnets() if picture.files else ()
    live = read_live(parts, account, names, wish or Wish(), subnets)
    pipeline = picture.pipeline or parts.read("pipeline", read_pipeline, account, names)
    whole = replace(picture, live=live, pipeline=pipeline)
    grants = parts.read("live.grants", lambda: tuple(read_grants(account, whole)))
    absent = {f"live.{part}": "the account has none" for part in Live.__dataclass_fields__}
    return replace(
        whole,
        live=replace(live, grants=grants),
        troubles=(*picture.troubles, *parts.troubles),
        absent={**picture.absent, **absent},
    )
