"""The walk of `make demo`, as it is: every notebook in one served world, from an empty account to an empty account."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.runs import walk, world
from runbook_lib.sandbox import connect

# What each service answers for what 10 and 15 make: client, call, path of the list in the answer.
LISTS = (
    ("ec2", "describe_vpcs", "Vpcs", {}),
    ("ec2", "describe_subnets", "Subnets", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", {}),
    ("ec2", "describe_route_tables", "RouteTables", {}),
    ("ec2", "describe_internet_gateways", "InternetGateways", {}),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", {}),
    ("ecs", "list_clusters", "clusterArns", {}),
    ("ecs", "list_task_definitions", "taskDefinitionArns", {}),
    ("ecr", "describe_repositories", "repositories", {}),
    ("codecommit", "list_repositories", "repositories", {}),
    ("codebuild", "list_projects", "projects", {}),
    ("codepipeline", "list_pipelines", "pipelines", {}),
    ("codedeploy", "list_applications", "applications", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", {}),
    ("events", "list_rules", "Rules", {}),
    ("iam", "list_roles", "Roles", {"PathPrefix": "/"}),
    ("s3", "list_buckets", "Buckets", {}),
    ("logs", "describe_log_groups", "logGroups", {}),
    ("ssm", "describe_parameters", "Parameters", {}),
)


@dataclass(frozen=True)
class Walked:
    """A walk that was made, what it told on its way, and what the account held before and after."""

    walk: walk.Walk
    lines: list[str]
    before: dict[str, int]
    after: dict[str, int]

    def text(self, stage: int) -> str:
        """Everything that the notebook of a stage shows, as text."""
        outputs = [output for cell in self.cells(stage) for output in cell.get("outputs", ())]
        texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
        return "\n".join("".join(text) for text in texts)

    def cells(self, stage: int) -> list[dict[str, Any]]:
        return json.loads(self.notebook(stage).read_text(encoding="utf-8"))["cells"]

    def notebook(self, stage: int) -> Path:
        passed = self.walk.passed[stage]
        return self.walk.folder / passed.folder / f"{passed.notebook}.ipynb"

    def deployment(self, stage: int) -> str:
        """The id of the deployment that a release followed."""
        found = re.search(r"^deployment (d-[A-Z0-9]{9}), of build", self.text(stage), re.MULTILINE)
        assert found, self.text(stage)
        return found[1]


GOOD, WATCH, BROKEN, BACK, TEARDOWN = 5, 6, 7, 9, 10  # the stages of demo.yaml, counted from 0


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """The whole walk, made once for all questions below."""
    folder = tmp_path_factory.mktemp("walk")
    lines: list[str] = []
    command = [sys.executable, "-P", "-m", "runbook_lib.sandbox.serving", "--port", "0"]
    with world.served_world(
        world.arguments_for("sandbox", []), log=folder / "sandbox.log", command=command
    ) as environment:
        before = held(environment[world.URL])
        made = walk.run_walk(
            walk.read_stages(params_file="sandbox"),
            world=lambda _: nullcontext(environment),
            tell=lines.append,
            output=folder / "evidence",
        )
        yield Walked(made, lines, before, held(environment[world.URL]))


def held(url: str) -> dict[str, int]:
    """How many resources of each sort the account holds."""
    sandbox = connect(url)
    counts = {}
    for service, call, path, arguments in LISTS:
        answer = getattr(sandbox.client(service), call)(**arguments)
        counts[f"{service}:{path}"] = len([one for one in answer.get(path, ()) if not shared_by_services(one)])
    return counts


def shared_by_services(resource: Any) -> bool:
    """Service-linked roles stay: other services of the account use them."""
    return isinstance(resource, dict) and str(resource.get("Path", "")).startswith("/aws-service-role/")


def test_the_walk_ends_as_it_should(walked: Walked) -> None:
    """Exit code 0, one line a notebook, and the broken release is the one that was rolled back."""
    assert walked.walk.exit_code == 0, walk.table(walked.walk)
    assert len(walked.lines) == len(walked.walk.passed) == walked.walk.stages == 11
    assert [stage.exit_code for stage in walked.walk.passed] == [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]


def test_the_watch_shows_the_deployment_of_the_release(walked: Walked) -> None:
    """By its id, with the weights that the release saw on its way."""
    assert re.search(rf"deployment +{walked.deployment(GOOD)}\b", walked.text(WATCH))
    assert "100 % were requested and 100 % configured" in walked.text(WATCH)


def test_the_watch_judges_every_claim(walked: Walked) -> None:
    """Four charts, and on a good release all claims hold."""
    assert walked.text(WATCH).count("The claim holds.") == 4


def test_the_broken_release_breaks_its_claim(walked: Walked) -> None:
    """The chart of errors says so; the alarm that stopped it is named."""
    assert "Failed requests stay under 5 %" in walked.text(BROKEN)
    assert "The claim does not hold." in walked.text(BROKEN)
    assert "Activated alarms: <orders-errors>" in walked.text(BROKEN)


def test_going_back_knows_both_releases(walked: Walked) -> None:
    """The history of 40 holds the ids of both releases, and what served before the first serves again."""
    history = walked.text(BACK)
    assert walked.deployment(GOOD) in history
    assert walked.deployment(BROKEN) in history
    assert re.search(r"Is the former revision live\? +OK +orders:2 ", history)


def test_nothing_that_was_made_is_left(walked: Walked) -> None:
    """Asked of each service, not of the inventory: the account holds what it held before."""
    assert walked.after == {name: walked.before[name] for name in walked.after}


def test_the_evidence_of_every_stage_is_whole(walked: Walked) -> None:
    """The executed notebook, the report, the journal, the verdict and the parameters, also of the rollback."""
    wanted = {"report.html", "journal.json", "verdict.json", "sandbox.yaml"}
    for number, stage in enumerate(walked.walk.passed):
        assert {path.name for path in walked.notebook(number).parent.iterdir()} >= wanted, stage.notebook


def test_a_report_brings_its_charts_along(walked: Walked) -> None:
    """Four pictures inside the page, and nothing to fetch."""
    page = (walked.notebook(WATCH).parent / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)=[\"']https?:", page)


def test_no_output_is_shown_twice(walked: Walked) -> None:
    """Not by the runbook and again by the notebook."""
    for number, stage in enumerate(walked.walk.passed):
        for cell in walked.cells(number):
            shown = [json.dumps(output.get("data") or output.get("text")) for output in cell.get("outputs", ())]
            assert len(shown) == len(set(shown)), f"{stage.notebook}: {''.join(cell['source'])}"
