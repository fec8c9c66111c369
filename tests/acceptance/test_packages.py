"""Each library does what it is known for, on the main path: with its result emptied, the same
command line gives another result."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import deepdiff
import pytest
import requests
from jsonschema import Draft7Validator
from ruamel.yaml import cyaml
from urllib3 import HTTPResponse

from tests.support.called import call
from tests.support.fault_server import FaultServer, Habits
from tests.support.in_process import InProcess
from tests.support.sandbox import TOKEN, Ended, Sandbox

INVALID = "version: 1\norgName: acme\ntasks: {a: {message: Look., approvalMode: never}}\n"
VALID = INVALID.replace("never", "auto")


def no_arguments(patch: pytest.MonkeyPatch) -> None:
    """click finds nothing on the command line."""
    consume = click.Parameter.consume_value

    def consume_value(self: Any, ctx: Any, _opts: Any) -> Any:
        return consume(self, ctx, {})

    patch.setattr(click.Parameter, "consume_value", consume_value)


def no_events(patch: pytest.MonkeyPatch) -> None:
    """ruamel.yaml finds nothing in the file."""

    class Parser:
        def __init__(self, _body: bytes) -> None: ...

        def get_event(self) -> None: ...

    patch.setattr(cyaml, "CParser", Parser)


def no_errors(patch: pytest.MonkeyPatch) -> None:
    """jsonschema finds no error."""
    patch.setattr(Draft7Validator, "iter_errors", lambda *_: iter(()))


def no_responses(patch: pytest.MonkeyPatch) -> None:
    """requests sends nothing, and returns empty responses."""

    def send(*_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.raw = HTTPResponse(BytesIO(), preload_content=False)
        return response

    patch.setattr(requests.Session, "send", send)


@pytest.mark.parametrize(
    ("empty", "command", "manifest", "code", "text"),
    [
        pytest.param(no_arguments, "validate", INVALID, 1, "TC204", id="click"),
        pytest.param(no_events, "validate", INVALID, 1, "TC204", id="ruamel.yaml"),
        pytest.param(no_errors, "validate", INVALID, 1, "TC204", id="jsonschema"),
        pytest.param(no_responses, "plan", VALID, 0, '"create":1', id="requests"),
    ],
)
def test_without_the_result_of_the_package_the_command_says_something_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty: Callable[[pytest.MonkeyPatch], None],
    command: str,
    manifest: str,
    code: int,
    text: str,
) -> None:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        sandbox = Sandbox(tmp_path, server)
        (tmp_path / "tasks").mkdir()
        (tmp_path / "tasks" / "a.yaml").write_text(manifest)

        def run() -> Ended:
            options = ["--backend", server.url] if command == "plan" else []
            words = [command, "--format", "json", *options]
            return Ended(*call(words, tmp_path, sandbox.environment()))

        ended = run()
        assert (ended.code, text in ended.stdout.replace(" ", "")) == (code, True), ended
        with monkeypatch.context() as patch:
            empty(patch)
            emptied = run()
        assert text not in emptied.stdout.replace(" ", ""), emptied
        assert (emptied.code, emptied.stdout) != (ended.code, ended.stdout)
        assert run() == ended


SETTINGS = {"message": "do it", "approvalMode": "manual"}
OTHER = {**SETTINGS, "message": "do the other"}


@pytest.mark.parametrize("side", ["manifest", "service"])
def test_deepdiff_compares_the_manifest_with_the_record_and_the_service(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    here.sandbox.write({"a": SETTINGS, "b": OTHER})
    assert here.run("apply").code == 0
    if side == "manifest":
        here.sandbox.write({"a": {**SETTINGS, "approvalMode": "auto"}, "b": OTHER})
    else:
        here.server.world.tasks[0].shown["approvalMode"] = "auto"
    compare = ("plan", "--update", "--detailed-exitcode")
    found = here.run(*compare)
    assert (found.code, found.document["summary"]["update"]) == (2, 1)
    assert [c["origin"] for t in found.document["tasks"] for c in t["diff"]] == [
        "manifest" if side == "manifest" else "remote"
    ]
    monkeypatch.setattr(deepdiff, "DeepDiff", lambda *_, **__: {})
    emptied = here.run(*compare)
    assert (emptied.code, emptied.document["summary"]["update"]) == (0, 0)


def test_deepdiff_is_not_called_for_tasks_without_a_difference(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.sandbox.write({"a": SETTINGS})
    assert here.run("apply").code == 0

    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(deepdiff, "DeepDiff", fail)
    assert here.run("plan").actions() == {"a": "unchanged"}
