"""Other applications than our own are walked: from their first build to a release behind CodeDeploy."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib import application, begin
from runbook_lib.documents.folder import Missing, missing, open_folder
from runbook_lib.runbook import Runbook
from runbook_lib.runs import world
from runbook_lib.story import release

ROOT = Path(__file__).parents[2]
LOOK_ALIKES = sorted((ROOT / "tests" / "cases" / "application" / "walked").iterdir())
# Files of real repositories as their owners wrote them: reference data that lies beside this project, never in it.
CORPUS = Path(os.environ.get("CORPUS", ROOT.parent / "shared" / "corpus"))
REAL = (
    "AfrithKhan__Backend-Nodejs",
    "Azamcloudspace__ecs-cicd-app",
    "EvertonRodriguesOliveira__Bia",
    "ArielDomchik__ECS-Terraform-CodePipeline-Deployment",
    "705jul__sbcntr-backend",
)
IN_THE_WAY = {
    "AliRazaqNorthbay__ECS-test": "buildspec.yml:1:1: seen: no docker build",
    "AnImpulsiveHuman__simple-docker-webapp": "buildspec.yml:10:9: the image 'public.ecr.aws/",
    "Deepak-Vohra__docker-node-server": "configuration/buildspec-sub-prod.yml:19:9: docker tag with 1 name",
}
PLACEHOLDER = "# placeholder: the repository's own file is not part of the reference data\n"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no reference data in {CORPUS.name} beside the project")


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of an application's folder; what its Dockerfile copies and the folder lacks is there as a placeholder."""
    source: Path = request.param
    copy = shutil.copytree(source, tmp_path / source.name)
    for absent in missing(open_folder(copy)):
        put(copy, absent)
    return copy


def put(folder: Path, absent: Missing) -> None:
    path = folder / absent.path.replace("*", "")
    if absent.is_directory:
        path, absent = path / "placeholder", absent
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n" if path.suffix == ".json" else PLACEHOLDER, encoding="utf-8")


@pytest.fixture
def released(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runbook]:
    """A world of its own in which the application has gone the whole way to a release."""
    monkeypatch.chdir(ROOT)
    served = world.arguments_for("sandbox", [f"application={folder}"])
    with world.served_world(served, log=tmp_path / "sandbox.log") as environment:
        monkeypatch.setenv(world.URL, environment[world.URL])
        yield begin("walk", "sandbox", {"application": str(folder)}, world="released")


def is_walked(run: Runbook, folder: Path) -> None:
    """The release is live, built from the application's own Dockerfile, under its own names."""
    app, live = application.read(folder), run.read(release.read_live)
    assert (live.version, live.running) == ("2.0.0", 2)
    assert live.image.startswith(f"{app.repository.rpartition('/')[2]}:")
    assert (run.account.id, run.account.region) == (app.account, app.region)
    assert run.system.container == app.container


@pytest.mark.parametrize("folder", LOOK_ALIKES, ids=[path.name for path in LOOK_ALIKES], indirect=True)
def test_a_look_alike_is_walked(released: Runbook, folder: Path) -> None:
    """Made-up folders with the habits and defects of real ones."""
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    assert released.system.container == told["container"]
    is_walked(released, folder)


@needs_corpus
@pytest.mark.parametrize("folder", [CORPUS / name for name in REAL], ids=REAL, indirect=True)
def test_a_real_repository_is_walked(released: Runbook, folder: Path) -> None:
    """With its own buildspec, Dockerfile and names; only what the reference data lacks is a placeholder."""
    is_walked(released, folder)


@needs_corpus
@pytest.mark.parametrize("name", IN_THE_WAY)
def test_a_real_repository_that_cannot_be_walked_says_what_is_in_the_way(name: str) -> None:
    """The place in its files, before anything is made."""
    found = application.obstacles(CORPUS / name)
    told = [f"{finding.where}: seen: {finding.seen}" for finding in found]
    wanted = IN_THE_WAY[name].replace(": seen: ", ": ")
    assert any(wanted in line.replace(": seen: ", ": ") for line in told), told
