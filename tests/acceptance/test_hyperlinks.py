"""On a terminal that has hyperlinks, keys and pull requests open their pages."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.test_hostile_answers import REPO, answered
from tests.acceptance.test_hostile_text import on_terminal
from tests.support.in_process import InProcess

LINK = re.compile(r"\x1b\]8;;(https?://[!-~]+)\x1b\\(.+?)\x1b\]8;;\x1b\\")
WITH_PAGES = """\
from reconciler.cli.main import run_process
from reconciler.model import wire
wire.is_loopback = lambda _: False
run_process()
"""
"""The program, as if services on loopback had the pages of Pulumi Cloud."""

OTHER = r"\x1b\[[0-9;?]*[A-Za-z]"  # colors, and the movements of the progress bar

HOSTILE = (
    {"org": "acme\x1b\\\x1b]0;owned\x07"},
    {"host": "github.example\x1b\\\x1b]8;;https://evil.example"},
    {"host": "github.com@evil.example"},
    {"name": "net\u202e/pull/1"},
    {"forge": "\x1b]8;;"},
)


def links(here: InProcess, command: str, *more: str, **env: str) -> dict[str, str]:
    """The hyperlinks that a command writes to a terminal, by their text."""
    written = on_terminal(
        here, command, *more, program=("-c", WITH_PAGES), **{"FORCE_HYPERLINK": "1", **env}
    )
    assert "\x1b" not in re.sub(OTHER, "", LINK.sub("", written)), written
    return {text: address for address, text in LINK.findall(written)}


def test_keys_and_pull_requests_are_hyperlinks(here: InProcess) -> None:
    page = f"{here.server.url}/acme/neo/tasks/"
    answered(
        here,
        {"one": "Done."},
        {"type": "pull_request", "number": 12, "isMerged": True, "repo": REPO},
        *(
            {"type": "pull_request", "number": 12, "repo": {**REPO, **odd}, "isMerged": False}
            for odd in HOSTILE
        ),
    )
    (task,) = here.server.world.tasks
    assert links(here, "status") == {"one": page + task.id}
    found = links(here, "results")
    assert found == {"one": page + task.id, "acme/net#12": "https://github.com/acme/net/pull/12"}
    here.sandbox.write({"two": {"message": "more work"}})
    created = links(here, "apply")
    assert created == {"two": page + here.server.world.tasks[-1].id}


@pytest.mark.parametrize("command", ["status", "results", "apply"])
def test_an_address_is_text_without_hyperlinks_or_with_verbose(
    here: InProcess, command: str
) -> None:
    here.sandbox.write({"one": {"message": "work"}})
    if command != "apply":
        assert here.run("apply").code == 0
    shown = on_terminal(
        here, command, *(["-v"] if command != "apply" else []), program=("-c", WITH_PAGES)
    )
    assert "\x1b]" not in shown
    assert "/acme/neo/tasks/" in shown


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"FORCE_HYPERLINK": "0", "TERM": "xterm-kitty"}])
def test_other_terminals_get_none(here: InProcess, env: dict[str, str]) -> None:
    here.sandbox.write({"one": {"message": "work"}})
    assert links(here, "apply", **env) == {}


def test_a_pipe_gets_none(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_HYPERLINK", "1")
    here.sandbox.write({"one": {"message": "work"}})
    assert here.run("apply").code == 0
    ended = here.run_words(["status", "--backend", here.server.url])
    assert "one" in ended.stdout
    assert "\x1b" not in ended.stdout + ended.stderr
