"""The real AWS CLI (PyPI awscli, version 1) behaving as version 2, which build images bring, where the two differ.

Sources: AWS CLI user guide, cliv2-migration-changes (ecr get-login, pager options) and cli-usage-returncodes.
"""

from __future__ import annotations

import functools
import io
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import awscli.argparser
import awscli.clidriver
import awscli.customizations.s3.transferconfig
import botocore.httpsession
from awscli.clidriver import CLIDriver, create_clidriver
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, ParamValidationError
from urllib3.response import HTTPResponse

from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire, target_of

VERSION = "aws-cli/2.22.35 Python/3.12.6 Linux/4.14.355-276.639.amzn2.x86_64 exec-env/AWS_ECS_EC2 exe/x86_64.amzn.2"
USAGE, CONFIGURATION, SERVICE, GENERAL = 252, 253, 254, 255
WITHOUT_VALUE = frozenset({"--no-cli-pager", "--no-cli-auto-prompt", "--cli-auto-prompt"})
WITH_VALUE = frozenset({"--cli-binary-format"})
WARM = ("ecr", "sts", "s3", "ecs", "codedeploy", "ssm", "secretsmanager")


@functools.cache
def warm_loader() -> Any:
    """botocore's data with the models that builds use read already; the parent of all runs keeps it."""
    driver = create_clidriver()
    loader = driver.session.get_component("data_loader")
    for service in WARM:
        loader.load_service_model(service, "service-2")
    loader.load_data("endpoints")
    loader.load_data("partitions")
    return loader


def run(wire: Wire, terminal: Terminal, argv: Sequence[str]) -> int:
    """Run one `aws` command line in this process, which is left afterwards."""
    if "--version" in argv:
        terminal.say(VERSION)
        return 0
    sys.argv = ["aws", *argv]  # argparse takes the name of the program from there
    _speak_through(wire)
    driver = _driver()
    seen = _watch(driver)
    try:
        code = driver.main(_known_to_version_1(argv))
    except SystemExit as end:
        return USAGE if end.code == 2 else int(end.code or 0)
    return _as_version_2(int(code or 0), seen)


def _driver() -> CLIDriver:
    loader = warm_loader()
    driver = create_clidriver()
    driver.session.register_component("data_loader", loader)
    driver.session.get_component("event_emitter").register_last("building-command-table.ecr", _without_get_login)
    usage = f"aws [options] <command> <subcommand> [<subcommand> ...] [parameters]\n{awscli.argparser.HELP_BLURB}"
    awscli.argparser.USAGE = awscli.clidriver.USAGE = usage
    # In a row: the order of the calls is part of what a build does.
    awscli.customizations.s3.transferconfig.DEFAULTS["max_concurrent_requests"] = 1
    return driver


def _without_get_login(command_table: dict[str, Any], **_: Any) -> None:
    command_table.pop("get-login", None)


def _known_to_version_1(argv: Sequence[str]) -> list[str]:
    known, words = [], list(argv)
    while words:
        word = words.pop(0)
        if word in WITH_VALUE:
            words = words[1:]
        elif word not in WITHOUT_VALUE and word.partition("=")[0] not in WITH_VALUE:
            known.append(word)
    return known


def _watch(driver: CLIDriver) -> list[Exception | str]:
    """What the CLI is about to report, which version 1 gives one exit code only."""
    seen: list[Exception | str] = []
    write, show = awscli.clidriver.write_exception, driver._show_error

    def write_and_note(error: Exception, outfile: Any) -> None:
        seen.append(error)
        write(error, outfile)

    def show_and_note(message: str) -> None:
        seen.append(message)
        show(message)

    awscli.clidriver.write_exception = write_and_note
    driver._show_error = show_and_note
    return seen


def _as_version_2(code: int, seen: list[Exception | str]) -> int:
    if code != GENERAL:
        return code
    if not seen or isinstance(seen[-1], ParamValidationError):
        return USAGE
    if isinstance(seen[-1], str):
        return CONFIGURATION
    return SERVICE if isinstance(seen[-1], ClientError) else GENERAL


def _speak_through(wire: Wire) -> None:
    """Every request goes over the wire, one after the other, and waiting is done in the world."""
    one_at_a_time = threading.Lock()

    def send(self: Any, request: Any) -> AWSResponse:
        with one_at_a_time:
            reply = wire.ask(request.method, target_of(request.url), _headers(request), _body(request))
        raw = HTTPResponse(
            io.BytesIO(reply.body), reply.headers, reply.status, preload_content=False, request_method=request.method
        )
        return AWSResponse(request.url, reply.status, HTTPHeaders.from_dict(reply.headers), raw)

    botocore.httpsession.URLLib3Session.send = send  # type: ignore[method-assign]
    time.sleep = wire.sleep  # type: ignore[assignment]


def _headers(request: Any) -> dict[str, str]:
    return {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()}


def _body(request: Any) -> bytes:
    body = request.body
    if hasattr(body, "read"):
        start = body.tell()
        content = body.read()
        body.seek(start)
        return bytes(content)
    return body.encode() if isinstance(body, str) else bytes(body or b"")
