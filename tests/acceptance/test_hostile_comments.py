"""Answers and schemas that attack the readers of a pull request are inert in the action's comment,
in the summary of the job, and in its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options

from tests.acceptance.test_hostile_answers import COMMANDS, ESCAPES, FORMULAS, MARKUP, answered
from tests.support.action_runner import Runner, Step
from tests.support.escaping import commands_in, invisible_in
from tests.support.git_server import bare_repository, git
from tests.support.github_api import MAX_BODY, GitHub
from tests.support.in_process import InProcess

NOTIFYING = (
    "owned @mallory @acme/platform acme/other#7 #7 GH-7 fixes #8 acme/other@0123456789abcdef\n"
    "https://github.com/acme/other/issues/7 http://github.com/acme/other/pull/8\n"
    "www.github.com/acme/other [x](https://github.com/acme/other/issues/9) mallory@evil.example"
)
ANSWERS = {
    "escapes": ESCAPES,
    "commands": COMMANDS,
    "markup": MARKUP,
    "notifying": NOTIFYING,
    "quoted": f"> {NOTIFYING}\n\n`````\n{NOTIFYING}",
    "formulas": "\n".join(FORMULAS.values()),
    "deep": '```json\n{"a":' + "[" * 10_000 + "]" * 10_000 + "}\n```",
}
LARGE = "@mallory acme/other#7 <img src=x> " * 200_000  # 7 MB
WORDS = re.compile(r"@mallory|@acme|\w+#\d|#\d|GH-\d|0123456789abcdef|github\.com/acme/other")


class Prose(HTMLParser):
    """The elements of a page, its links, and its text outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self._code = 0
        self.feed(github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self._code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._code else data


def assert_harmless(markdown: str, own: str) -> None:
    """Nothing in it notifies anyone, links to another project, or is markup. `own` is the
    service."""
    shown = Prose(markdown)
    assert not shown.tags & {"img", "script", "svg", "iframe", "h1", "b"}, shown.tags
    assert WORDS.findall(shown.text) == []
    hosts = {urlsplit(link).netloc for link in shown.links}
    assert hosts <= {urlsplit(own).netloc, "redirect.github.com"}
    assert invisible_in(markdown) <= {"\n"}


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as github:
        yield github


@pytest.fixture
def runner(here: InProcess, tmp_path: Path, github: GitHub) -> Runner:
    return Runner(tmp_path / "runner", here.sandbox.folder, github.url)


def share(here: InProcess) -> None:
    """Moves the state into a remote, as teams have it."""
    remotes, folder = here.sandbox.folder / "remotes", here.sandbox.folder
    remotes.mkdir()
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", str(bare_repository(remotes, "team")))
    ended = here.run_words(["state", "migrate", "--to", "git:origin", "--backend", here.server.url])
    assert ended.code == 0, ended.stderr
    (folder / "taskctl.toml").write_text('state = "git:origin"\n', encoding="utf-8")


def shown(
    runner: Runner, here: InProcess, github: GitHub, answers: bool = True
) -> tuple[Step, str]:
    """The run of the action, and its comment."""
    ran = runner.script("results", backend=here.server.url, show_text=str(answers).lower())
    assert ran.code == 0, ran.said
    assert ran.outputs == {}
    assert commands_in(ran.said) == []
    assert invisible_in(ran.said) <= {"\n"}
    (body,) = github.bodies(7)
    assert len(body) <= MAX_BODY
    assert_harmless(ran.summary, here.server.url)
    assert_harmless(body.partition("\n")[2], here.server.url)
    return ran, body


def test_hostile_answers_are_inert_in_comment_summary_and_log(
    runner: Runner, here: InProcess, github: GitHub
) -> None:
    assert len(WORDS.findall(Prose(NOTIFYING).text)) > 5
    assert "https://github.com/acme/other/issues/7" in Prose(NOTIFYING).links
    answered(here, ANSWERS)
    share(here)
    ran, body = shown(runner, here, github)
    for text in ("owned", "@mallory", "acme/other#7", "<script>alert(1)</script>"):
        assert text in body
        assert text in ran.summary
    _, body = shown(runner, here, github, answers=False)
    assert "owned" not in body


def test_huge_answers_fit_into_a_comment(runner: Runner, here: InProcess, github: GitHub) -> None:
    answered(here, {"large": LARGE, "deep": ANSWERS["deep"], "notifying": NOTIFYING})
    share(here)
    _, body = shown(runner, here, github)
    assert "`large`" in body


SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"const": f"{COMMANDS} {NOTIFYING} {MARKUP} {ESCAPES}".replace("\x00", "")},
    "names": {"required": [NOTIFYING, MARKUP, "::error::owned"]},
    "types": {"properties": {"@mallory #7 <img src=x>": {"type": "string"}}},
    "pattern": {"properties": {"a": {"pattern": "^(a+)+$"}}},
}


def test_hostile_schemas_are_stopped_and_inert(
    runner: Runner, here: InProcess, github: GitHub
) -> None:
    data = {"@mallory #7 <img src=x>": 1, "a": "a" * 60 + "!"}
    answer = f"```json\n{json.dumps(data)}\n```"
    settings = {key: {"expect": {"data": schema}} for key, schema in SCHEMAS.items()}
    answered(here, dict.fromkeys(SCHEMAS, answer), settings=settings)
    share(here)
    _, body = shown(runner, here, github, answers=False)
    assert body.count("unmet") >= len(SCHEMAS)
    assert body.count("could not be checked within 2 s") == 1
