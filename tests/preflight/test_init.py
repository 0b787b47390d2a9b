"""`runbook init`: an existing service becomes a parameter file and a picture, whatever it hangs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib import params, sandbox
from runbook_lib.account import SANDBOX_URL, Account
from runbook_lib.check import Verdict
from runbook_lib.cli import init, main
from runbook_lib.errors import BadInput, CheckFailed, Refused
from runbook_lib.journal import Journal
from runbook_lib.preflight import account as preflight
from runbook_lib.preflight import report
from runbook_lib.runbook import begin, opened
from runbook_lib.runs.world import arguments_for, served_world
from runbook_lib.story import chapters, move, worlds
from runbook_lib.survey import drawing, writing
from runbook_lib.survey.found import Found
from runbook_lib.survey.reading import read_existing
from runbook_lib.system import System

PARAMS = str(Path(__file__).parents[2] / "params" / "sandbox.yaml")
STACK = {"Key": "aws:cloudformation:stack-name", "Value": "web-prod"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": "/dev/null"}
World = tuple[Account, System]
Bring = Callable[[str], World]


@pytest.fixture
def bring() -> Iterator[Bring]:
    """An account of its own, brought to a state."""
    if sandbox._embedded:
        sandbox._embedded.close()

    def brought(world: str) -> World:
        account, system = opened(PARAMS)
        worlds.bring(account, system, world, journal=Journal(account.clock))
        return account, system

    yield brought
    if sandbox._embedded:
        sandbox._embedded.close()


def found(world: World, service: str | None = None, pipeline: str | None = None) -> Found:
    """What init finds; without a name, the service that the world deploys."""
    account, system = world
    return read_existing(account, cluster=system.cluster, service=service or system.service, pipeline=pipeline)


def written(folder: Path, what: Found) -> Path:
    """The parameter file of what was found."""
    file = folder / "found.yaml"
    file.write_text(writing.parameters(what, target="sandbox"), encoding="utf-8")
    return file


def listeners(account: Account) -> list[str]:
    elb = account.client("elbv2")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    return [one["ListenerArn"] for one in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]]


def another(world: World, name: str, **changes: Any) -> None:
    """A further service in the cluster, made like the rolling one."""
    account, system = world
    ecs = account.client("ecs")
    like = ecs.describe_services(cluster=system.cluster, services=[system.rolling_service])["services"][0]
    kept = ("cluster", "taskDefinition", "loadBalancers", "networkConfiguration", "launchType")
    told = {key: like["clusterArn"] if key == "cluster" else like[key] for key in kept}
    ecs.create_service(**{**told, "serviceName": name, "desiredCount": 1, **changes})
    account.clock.sleep(300)


# ---- what is found


def test_a_rolling_service_is_read_with_its_pipeline(bring: Bring, tmp_path: Path) -> None:
    """Names, load balancer, source and sizes stand in the file, and a move can begin with it."""
    account, system = bring("rolling")
    chosen = params.load(written(tmp_path, found((account, system), system.rolling_service)))
    known = chosen.existing
    assert (known.rolling_service, known.service, known.pipeline) == (system.rolling_service, None, system.pipeline)
    assert (known.balancer, known.rolling_target_group) == (system.balancer, system.rolling_target_group)
    assert (chosen.repository.name, chosen.service.port, chosen.balancer.health.path) == ("orders", 8080, "/health")
    assert set(known.roles) == {"execution", "task", "build", "pipeline", "events"}
    run = begin("15_move_service", str(tmp_path / "found.yaml"), world="rolling")
    assert run.read(move.check_ready).verdict is Verdict.OK


def test_a_blue_green_service_is_read_with_its_group(bring: Bring, tmp_path: Path) -> None:
    """Both target groups, both listeners, waits and alarms; a check of the account finds all of it."""
    account, system = bring("bluegreen")
    file = written(tmp_path, found((account, system)))
    chosen = params.load(file)
    assert chosen.existing.target_groups is not None
    assert set(chosen.existing.target_groups) == set(system.target_groups)
    assert chosen.existing.alarms == system.alarms
    assert (chosen.release.traffic, chosen.release.termination_wait_minutes) == ("linear", 30)
    assert (chosen.balancer.production_port, chosen.balancer.test_port) == (80, 9001)
    assert chosen.pipeline.placeholder == "IMAGE1_NAME"
    asked = report.examine(preflight.read_system(*opened(str(file)))).asked
    assert {one.story.id for one in asked if one.verdict > Verdict.SKIP} == {"B4"}
    assert sum(one.verdict is Verdict.OK for one in asked) > 45


def test_a_service_without_pipeline_begins_where_nothing_is_asked_of_one(bring: Bring, tmp_path: Path) -> None:
    """Said in the picture; a notebook that needs a pipeline says what is missing and makes nothing."""
    account, system = bring("rolling")
    account.client("codepipeline").delete_pipeline(name=system.pipeline)
    what = found((account, system), system.rolling_service)
    assert what.pipeline is None
    assert "no pipeline deploys to it" in drawing.tree(what)
    file = written(tmp_path, what)
    begin("00_start_here", str(file), world="empty")
    with pytest.raises(CheckFailed, match="run the notebook that brings it there: 10_provision"):
        begin("15_move_service", str(file), world="rolling")
    assert account.client("codepipeline").list_pipelines()["pipelines"] == []


def test_a_service_without_load_balancer_is_drawn_as_such(bring: Bring, tmp_path: Path) -> None:
    """CodeDeploy cannot deploy it before it has one."""
    world = bring("rolling")
    another(world, "worker", loadBalancers=[])
    what = found(world, "worker")
    assert (what.balancer, what.listeners, what.target_groups) == ("", (), ())
    assert "no load balancer: CodeDeploy cannot" in drawing.tree(what)
    file = written(tmp_path, what)
    assert "# port: 0 # as it is now" in file.read_text(encoding="utf-8")
    assert params.load(file).existing.balancer is None


def test_of_several_services_the_one_is_read_that_was_named(bring: Bring) -> None:
    """The pipeline of a neighbour is not taken for its own."""
    world = bring("rolling")
    another(world, "billing")
    assert found(world, "billing").pipeline is None
    assert found(world, world[1].rolling_service).pipeline is not None


def test_code_deploy_without_a_group_is_said(bring: Bring) -> None:
    """The controller alone makes no blue/green deployment."""
    world = bring("rolling")
    another(world, "lonely", deploymentController={"type": "CODE_DEPLOY"})
    what = found(world, "lonely")
    assert what.group is None
    assert "no deployment group of CodeDeploy serves it" in drawing.tree(what)


# ---- what is refused


@pytest.mark.parametrize(
    ("cluster", "service", "pipeline", "told"),
    [
        ("orders", "order", None, "no service order; wanted: the name of a service; next: did you mean orders?"),
        ("orders", "zzz", None, "next: there are orders"),
        ("order", "orders", None, "no cluster order; wanted: the name of a cluster; next: did you mean orders?"),
        ("orders", "orders", "orderz", "no pipeline orderz; wanted: the name of a pipeline; next: did you mean orders"),
    ],
)
def test_a_name_that_is_not_there_is_refused(
    bring: Bring, cluster: str, service: str, pipeline: str | None, told: str
) -> None:
    """With the nearest name, or those that there are."""
    account, _ = bring("rolling")
    with pytest.raises(BadInput) as raised:
        read_existing(account, cluster=cluster, service=service, pipeline=pipeline)
    assert told in str(raised.value)


def test_a_pipeline_of_another_service_is_refused(bring: Bring) -> None:
    """What it deploys to is said."""
    world = bring("rolling")
    another(world, "billing")
    with pytest.raises(BadInput, match="it deploys to orders/orders"):
        found(world, "billing", pipeline="orders")


def test_two_pipelines_of_one_service_want_a_choice(bring: Bring) -> None:
    """None of them is taken by chance."""
    account, system = bring("rolling")
    client = account.client("codepipeline")
    definition = client.get_pipeline(name=system.pipeline)["pipeline"]
    client.create_pipeline(pipeline={**definition, "name": "orders-hotfix"})
    with pytest.raises(BadInput, match="2 pipelines deploy to it: orders, orders-hotfix"):
        found((account, system), system.rolling_service)
    chosen = found((account, system), system.rolling_service, pipeline="orders-hotfix").pipeline
    assert chosen is not None
    assert chosen.name == "orders-hotfix"


# ---- whose it is


def test_what_a_stack_owns_is_listed_and_not_changed(bring: Bring, tmp_path: Path) -> None:
    """The plan says it, applying it is refused with the remedy, and nothing of it was done."""
    account, system = bring("rolling")
    account.client("elbv2").add_tags(ResourceArns=listeners(account), Tags=[STACK])
    file = written(tmp_path, found((account, system), system.rolling_service))
    assert [(one.by, one.consent) for one in params.load(file).owned] == [("the CloudFormation stack web-prod", False)]
    run = begin("15_move_service", str(file), world="rolling")
    plan = run.plan(move.plan_second_service)
    with pytest.raises(Refused) as raised:
        run.apply(plan)
    assert raised.value.exit_code == 6
    assert "belongs to the CloudFormation stack web-prod" in raised.value.seen
    assert "`owned` in the parameters with consent: true" in raised.value.next_step
    assert [entry.kind for entry in run.journal.entries if entry.kind in ("intent", "step")] == []
    names = [one["TargetGroupName"] for one in account.client("elbv2").describe_target_groups()["TargetGroups"]]
    assert names == [system.rolling_target_group]


def test_a_tag_that_came_later_is_seen_before_a_change(bring: Bring, tmp_path: Path) -> None:
    """The list in the parameters is not the only source: the resource itself is asked."""
    account, system = bring("rolling")
    file = written(tmp_path, found((account, system), system.rolling_service))
    account.client("elbv2").add_tags(
        ResourceArns=listeners(account), Tags=[{"Key": "managed-by", "Value": "Terraform"}]
    )
    run = begin("15_move_service", str(file), world="rolling")
    with pytest.raises(Refused, match=r"belongs to Terraform \(tag managed-by=Terraform\)"):
        run.apply(run.plan(move.plan_second_service))


def test_whose_tags_cannot_be_read_is_not_changed(
    bring: Bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not knowing the owner is no consent."""
    account, system = bring("rolling")
    file = written(tmp_path, found((account, system), system.rolling_service))
    run = begin("15_move_service", str(file), world="rolling")
    plan = move.plan_second_service(run.account, run.system)

    def denied(**told: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeTags")

    monkeypatch.setattr(run.account.client("elbv2"), "describe_tags", denied)
    with pytest.raises(Refused, match="AccessDenied: the tags of arn:aws:elasticloadbalancing"):
        run.apply(plan)


def test_with_consent_the_plan_is_applied(bring: Bring, tmp_path: Path) -> None:
    """A person has said that it may."""
    account, system = bring("rolling")
    account.client("elbv2").add_tags(ResourceArns=listeners(account), Tags=[STACK])
    file = written(tmp_path, found((account, system), system.rolling_service))
    file.write_text(file.read_text(encoding="utf-8").replace("consent: false", "consent: true"), encoding="utf-8")
    run = begin("15_move_service", str(file), world="rolling")
    plan = run.plan(move.plan_freeze)
    run.apply(plan)
    weights = move.plan_second_service(run.account, run.system)
    from runbook_lib import ownership

    assert list(ownership.claimed(weights, run.account)) == []


def test_the_picture_marks_what_is_not_ours(bring: Bring) -> None:
    """In the tree, in the diagram and in the table."""
    account, system = bring("bluegreen")
    account.client("codepipeline").tag_resource(
        resourceArn=account.arn("codepipeline", system.pipeline),
        tags=[{"key": "aws:cloudformation:stack-name", "value": "delivery"}],
    )
    what = found((account, system))
    assert "pipeline orders (V2, SUPERSEDED)  [not ours: the CloudFormation stack delivery]" in drawing.tree(what)
    page = drawing.page(what)
    assert "| pipeline | `orders` | the CloudFormation stack delivery |" in page
    assert "classDef foreign" in page
    assert '["deployment group<br>orders-bg"]' in page


# ---- the command


@pytest.fixture
def at_hand(bring: Bring, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> World:
    """A rolling world that the command finds, and an empty folder to write in."""
    world = bring("rolling")
    monkeypatch.setattr(init, "_opened", lambda arguments: world[0])
    return world


def test_files_are_written_beside_the_other_parameters(at_hand: World, capsys: pytest.CaptureFixture[str]) -> None:
    """And the next command is told; a second time nothing has changed."""
    call = ["init", "--cluster", "orders", "--service", "orders"]
    assert main(call) == 0
    assert "next:       runbook check -f params/orders.yaml" in capsys.readouterr().out
    assert Path("params/orders.md").is_file()
    assert main(call) == 0


def test_nothing_is_written_over_without_consent(at_hand: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the parameters nor the picture."""
    call = ["init", "--cluster", "orders", "--service", "orders"]
    Path("params/orders.md").write_text("mine", encoding="utf-8")
    assert main(call) == 2
    assert "consent with --overwrite; nothing was written" in capsys.readouterr().err
    assert not Path("params/orders.yaml").exists()
    assert main([*call, "--overwrite"]) == 0
    assert Path("params/orders.md").read_text(encoding="utf-8") != "mine"


def test_a_file_that_cannot_be_written_is_refused(at_hand: World, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name."""
    Path("file").write_text("no folder", encoding="utf-8")
    assert main(["init", "--cluster", "orders", "--service", "orders", "--output", "file/found.yaml"]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["found.md", "found"])
def test_the_file_is_a_yaml_file(workplace: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    """Or the picture would take its place."""
    assert main(["init", "--cluster", "c", "--service", "s", "--output", output]) == 2
    assert "a name that ends in .yaml" in capsys.readouterr().err


def test_a_served_world_is_read_as_its_user_does(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The account is the one that answers; another one is refused; the file is one of the sandbox, or one of AWS."""
    with served_world(arguments_for(PARAMS, []), log=workplace / "log") as environment:
        monkeypatch.setenv(SANDBOX_URL, environment[SANDBOX_URL])
        account, system = opened(PARAMS)
        assert main(["check", "-f", PARAMS]) == 3  # before there is anything
        assert "no pipeline orders, no files in orders" in capsys.readouterr().err
        worlds.bring(account, system, "rolling", journal=Journal(account.clock))
        call = ["init", "--cluster", "orders", "--service", "orders"]
        assert main([*call, "--account", "111122223333"]) == 6
        assert main([*call, "--account", account.id]) == 0
        assert main(["check", "-f", "params/orders.yaml"]) == 3
        told = capsys.readouterr().out
        monkeypatch.delenv(SANDBOX_URL)
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": environment[SANDBOX_URL]}.items():
            monkeypatch.setenv(name, value)
        assert main([*call, "--output", "aws.yaml"]) == 2
        assert "the region of the service" in capsys.readouterr().err
        assert main([*call, "--output", "aws.yaml", "--region", account.region]) == 0
        assert main(["check", "-f", "aws.yaml"]) == 3
    assert "FAIL         C1   Has the service the CODE_DEPLOY controller?" in told
    assert "15_move_service" in told
    chosen = params.load("aws.yaml")
    assert (chosen.target, chosen.account, chosen.region) == ("aws", account.id, account.region)


def test_the_move_goes_through_under_other_names(bring: Bring, tmp_path: Path) -> None:
    """A service that the runbooks did not make is moved; what they make beside it has a prefix of its own."""
    account, system = bring("rolling")
    file = written(tmp_path, found((account, system), system.rolling_service))
    text = file.read_text(encoding="utf-8").replace("name: orders # prefix", "name: shop # prefix")
    file.write_text(text, encoding="utf-8")
    adopted = opened(str(file))
    chapters.move(*adopted, Journal(account.clock))
    assert adopted[1].service == "shop-bg"
    assert move.check_moved(*adopted).verdict is Verdict.OK
    moved = found((account, adopted[1]))
    assert moved.group is not None
    assert moved.group.pair == ("shop-a", "shop-b")
    assert set(moved.security_groups) == set(params.load(file).existing.security_groups)
