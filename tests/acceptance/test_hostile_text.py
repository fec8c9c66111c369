"""Untrusted text is inert, and the token never appears."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.escaping import commands_in, invisible_in
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import TOKEN

HOSTILE = (
    "\x1b]0;owned\x07\x1b[31m\r::error::stop\n::set-output name=x::y\n  ::warning::z\n"
    "##[error]bad\n##vso[task.complete]\n\u202eesrever\u2066 | <script>alert(1)</script> "
    "![x](http://evil.example) \x9b31m \u200b\x00\x08"
)
IN_MANIFESTS = HOSTILE.replace("\x00", "")  # YAML does not allow NUL
PROGRAM = ("-m", "reconciler")
RAW = ["\x1b]0;", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\x00", "\x08"]


@pytest.fixture
def here(here: InProcess) -> InProcess:
    here.sandbox.write(
        {
            "a": {"message": f"one {IN_MANIFESTS}", "name": IN_MANIFESTS},
            "b": {"message": f"two {IN_MANIFESTS}"},
            "c": {"message": f"three {IN_MANIFESTS}"},
        }
    )
    return here


def refusing(here: InProcess, text: str = HOSTILE) -> None:
    rules = [
        Rule("create", Fault("status", status=400, text=text), contains="two"),
        Rule("create", Fault("status", status=500, text=text), contains="three"),
        Rule("patch", Fault("status", status=403, text=text)),
    ]
    here.server.set_rules(*rules)


def in_text(here: InProcess, command: str, *more: str) -> list[str]:
    words = here.sandbox.arguments(command, *more)
    return [word for word in words if word not in ("--format", "json")]


def both(here: InProcess, command: str, *more: str) -> str:
    """The output of the command in text, and then in JSON."""
    ended = here.run_words(in_text(here, command, *more))
    assert "Traceback" not in ended.stderr
    again = here.run(command, *more)
    json.loads(again.stdout)
    return "\n".join([ended.stdout, ended.stderr, again.stdout, again.stderr])


def assert_inert(text: str) -> None:
    assert invisible_in(text) <= {"\n"}
    assert commands_in(text) == []


def test_manifests_service_and_their_errors_are_inert(here: InProcess) -> None:
    refusing(here)
    seen = [both(here, "plan", "-v"), both(here, "apply", "-v")]
    for task in here.server.world.tasks:
        task.shown["name"] = HOSTILE
        task.shown["createdBy"] = {"githubLogin": "me-login", "name": HOSTILE}
    refusing(here)
    (here.sandbox.folder / "taskctl.state.json").unlink()
    seen += [both(here, "plan", "-v"), both(here, "apply", "-v"), both(here, "plan", "-v")]
    text = "\n".join(seen)
    assert "owned" in text
    assert_inert(text)


@pytest.mark.parametrize("endpoint", ["list", "user", "events"])
def test_errors_of_a_failing_service_are_inert(here: InProcess, endpoint: str) -> None:
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    fault = Fault("status", status=403, text=HOSTILE, headers={"X-Pulumi-Request-ID": "::x::"})
    here.server.set_rules(Rule(endpoint, fault))
    assert_inert(both(here, "plan", "-v") + both(here, "apply", "-v"))


def test_names_of_files_organizations_and_backends_are_inert(here: InProcess) -> None:
    name = "\x1b[31m\u202e::error::x.yaml"
    (here.sandbox.folder / "tasks" / name).write_text('{"version": 1, "tasks": {"a": {"nope": 1}}}')
    assert_inert(both(here, "plan"))
    (here.sandbox.folder / "tasks" / name).unlink()
    assert_inert(both(here, "plan", "--state", f"{name}/state.json"))
    assert_inert(both(here, "apply", name))
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(
        json.dumps({"version": 1, "tasks": {"a": {"message": "x"}}})
    )
    assert_inert(both(here, "plan", "--org", "\x1b[31m\n::error::org"))


def on_terminal(
    here: InProcess, command: str, *more: str, program: Sequence[str] = PROGRAM, **env: str
) -> str:
    """Everything that the command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *program, *in_text(here, command, *more)],
        cwd=here.sandbox.folder,
        env={**here.sandbox.environment(), "TERM": "xterm-256color", "COLUMNS": "100", **env},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with suppress(OSError):  # the terminal closes with its last writer
        while data := os.read(ours, 65536):
            written += data
    os.close(ours)
    process.wait()
    return written.decode()


def test_a_progress_bar_writes_no_foreign_control_sequences(here: InProcess) -> None:
    here.sandbox.settle = "1s"  # a process waits for it
    refusing(here)
    written = on_terminal(here, "apply")
    assert "owned" in written
    assert "\u2501" in written or "\u2578" in written or "1/3" in written  # the progress bar
    assert [raw for raw in RAW if raw in written] == []
    ours = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert "\x1b" not in ours
    assert "\x1b[31m\r" not in written


KINDS = {
    "echoed by a refusal": Fault("status", status=400, text=f"token {TOKEN} is no good"),
    "echoed by a failure": Fault("status", status=500, text=f"Authorization: token {TOKEN}"),
    "not accepted": Fault("status", status=401, text=f"{TOKEN}?"),
    "redirect": Fault("redirect", status=307, headers={"Location": f"https://x.example/{TOKEN}"}),
    "a proxy's page": Fault("html", status=502),
    "garbage": Fault("garbage"),
    "reset": Fault("reset"),
    "request id": Fault("status", status=500, headers={"X-Pulumi-Request-ID": TOKEN}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_appears_nowhere(here: InProcess, tmp_path: Path, kind: str) -> None:
    """Neither in the output with -v nor in any file: state, journal, lock, cache, plan."""
    here.sandbox.write({"a": {"message": "one"}, "b": {"message": "two", "name": "N"}})
    rules = [
        Rule("create", KINDS[kind], contains="two"),
        Rule("events", KINDS[kind], nth=(1, 2)),
        Rule("get", KINDS[kind], nth=(1,)),
    ]
    here.server.set_rules(*rules)
    said = ""
    for command in (["plan", "-v", "--out", "p.taskctl"], ["apply", "-v"], ["apply", "-v"]):
        ended = here.run(*command)
        assert "Traceback" not in ended.stderr
        said += ended.stdout + ended.stderr
    ended = here.run("plan", "-v", "--org", "x")
    said += ended.stdout + ended.stderr
    assert TOKEN not in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "p.taskctl" for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert all(call.headers.get("Authorization") == f"token {TOKEN}" for call in here.server.calls)


@pytest.mark.parametrize("url", ["http://api.example.com", "http://192.0.2.1:8080"])
def test_the_token_is_never_sent_over_plain_http(here: InProcess, url: str) -> None:
    ended = here.run("plan", "--backend", url)
    assert ended.code == 1
    assert "plain http" in ended.document["diagnostics"][0]["summary"]
    assert here.server.calls == []


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_never_followed(here: InProcess, status: int) -> None:
    with FaultServer() as elsewhere:
        to = {"Location": f"{elsewhere.url}/api/preview/agents/acme/tasks"}
        fault = Fault("redirect", status=status, headers=to)
        rules = [Rule("create", fault), Rule("events", fault)]
        here.server.set_rules(*rules)
        assert here.run("apply").code == 1
        here.server.set_rules(Rule("list", fault), Rule("user", fault))
        assert here.run("plan").code == 1
        assert elsewhere.calls == []
