"""Answers that attack whoever reads the results are inert in each format, and cheap to show."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options

from tests.acceptance.test_hostile_text import RAW, assert_inert, on_terminal
from tests.support.in_process import InProcess
from tests.support.sandbox import Ended

FORMATS = ("text", "json", "csv", "markdown", "html", "junit")
ESCAPES = (
    "owned \x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\ \x1b]52;c;cm0gLXJm\x07 "
    "\x1b[2J\x9b31m \u202eesrever\u2066 \u200b\x00\x08"
)
COMMANDS = (
    "::error::owned\n::set-output name=x::y\r::add-mask::z\n \ufe0f ::warning::z\n"
    "\u2028::debug::q\n##[error]bad\n##vso[task.complete]\n##teamcity[x]"
)
MARKUP = (
    "</pre></td><script>alert(1)</script><img src=x onerror=alert(1)> --> ]]> owned\n"
    "````\n</details>\n# heading\n![x](http://evil.example) [y](javascript:alert(1)) @mallory #1\n"
    "| a | b |\n```json\n{}\n```"
)
FORMULAS = {
    "equals": "=cmd|' /C calc'!A1",
    "plus": "+1",
    "minus": "-1",
    "at": "@SUM(A1)",
    "wide": "\uff1d1+1",
}
KEPT = 1 << 19
SIZE = KEPT + 30_000  # more than is kept
REPO = {"type": "repository", "org": "acme", "name": "net", "forge": "github"}


def final(text: str) -> dict[str, Any]:
    return {"type": "assistant_message", "content": text, "is_final": True}


def answered(
    here: InProcess,
    texts: dict[str, str],
    *entities: dict[str, Any],
    settings: dict[str, dict[str, Any]] | None = None,
) -> None:
    """Creates a task for each text, with its `settings`, whose agent ends with that."""
    more = settings or {}
    here.sandbox.write({key: {"message": f"work {key}", **more.get(key, {})} for key in texts})
    assert here.run("apply").code == 0
    by_prompt = {task.work: task for task in here.server.world.tasks}
    for key, text in texts.items():
        (task,) = (t for work, t in by_prompt.items() if f"work {key}" in work)
        body = {**final(text), "timestamp": "2026-07-01T10:00:00.000Z"}
        event = {"id": f"{task.id}-end", "type": "agentResponse", "eventBody": body}
        task.events.append({**event, "isSynthetic": False})
        task.shown |= {"status": "idle", "entities": list(entities)}


def shown(here: InProcess, form: str, *more: str) -> str:
    words = ["results", "--backend", here.server.url, "--format", form, *more]
    ended: Ended = here.run_words(words)
    assert ended.code == 0, ended.stderr
    return ended.stdout


class Page(HTMLParser):
    """The elements of a page and their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_plain_page(page: Page, scripts: int) -> None:
    assert page.tags.count("script") == scripts
    assert "img" not in page.tags
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    links = [value or "" for name, value in page.attributes if name in ("href", "src")]
    assert [link for link in links if "evil" in link or link.startswith("javascript")] == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("more", [(), ("-v",)])
def test_terminal_escapes_and_workflow_commands_are_inert(
    here: InProcess, form: str, more: tuple[str, ...]
) -> None:
    answered(here, {"escapes": ESCAPES, "commands": COMMANDS, "both": f"{COMMANDS}\n{ESCAPES}"})
    text = shown(here, form, *more)
    assert ("owned" in text) is (form not in ("markdown", "junit") or (form, more) == MORE)
    assert_inert(text)


MORE = ("markdown", ("-v",))
"""Reports as Markdown contain answers only on request; JUnit never does."""


def test_a_table_on_a_terminal_contains_no_foreign_sequences(here: InProcess) -> None:
    answered(here, {"escapes": ESCAPES, "commands": COMMANDS})
    for more in ((), ("-v",)):
        written = on_terminal(here, "results", *more)
        assert "owned" in written
        assert [raw for raw in RAW if raw in written] == []
        assert "\x1b" not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)


def test_markup_is_text_in_html(here: InProcess) -> None:
    answered(here, {"plain": "owned"})
    scripts = Page(shown(here, "html")).tags.count("script")
    answered(here, {"markup": MARKUP})
    page = Page(shown(here, "html"))
    assert_plain_page(page, scripts)
    assert "<script>alert(1)</script>" in page.text


def test_markup_is_text_in_markdown(here: InProcess) -> None:
    answered(here, {"markup": MARKUP, "open": "````\n<!-- never closed", "tilde": "~~~~\n<b>"})
    text = shown(here, "markdown", "-v")
    rendered = github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    page = Page(rendered)
    assert_plain_page(page, 0)
    assert page.tags.count("details") == rendered.count("</details>")
    assert not {"h1", "b"} & set(page.tags)
    for text in ("<script>alert(1)</script>", "@mallory", "<!-- never closed", "<b>"):
        assert text in page.text


@pytest.mark.parametrize("lead", ["", " ", "\t", "\u00a0", "\r", "\ufeff", "x;", 'x; "'])
def test_a_spreadsheet_finds_no_formula(here: InProcess, lead: str) -> None:
    answered(here, {key: f"{lead}{text}" for key, text in FORMULAS.items()})
    rows = list(csv.DictReader(io.StringIO(shown(here, "csv"))))
    assert [row["key"] for row in rows] == list(FORMULAS)
    for row in rows:
        assert row["answer"]
        for cell in row["answer"].split(";"):  # which some locales separate cells by
            assert not cell.strip(' \t\r"').startswith(("=", "+", "-", "@", "\uff1d"))


@pytest.mark.parametrize(
    "repo",
    [
        {"org": "a/../../evil", "name": "x"},
        {"org": "acme", "name": 'x"><script>alert(1)</script>'},
        {"org": "acme", "name": "x](javascript:alert(1))"},
        {"org": "acme", "name": "x", "host": "evil.example@github.com"},
        {"org": "acme", "name": f"x{ESCAPES}"},
        {"org": "acme", "name": "=1|2", "forge": "javascript"},
        {"org": "\n::error::x", "name": "x"},
    ],
)
def test_the_parts_of_a_pull_request_form_neither_a_link_nor_markup(
    here: InProcess, repo: dict[str, Any]
) -> None:
    entity = {"type": "pull_request", "number": 7, "merged": False, "repo": {**REPO, **repo}}
    answered(here, {"up": "owned"}, entity)
    for form in FORMATS:
        assert_inert(shown(here, form, "-v"))
    (task,) = json.loads(shown(here, "json"))["tasks"]
    assert [request["url"] for request in task["pullRequests"]] in ([None], [])
    scripts = shown(here, "html").count("<script")
    here.server.world.tasks[0].shown["entities"] = []
    assert shown(here, "html").count("<script") == scripts
    assert "javascript:alert" not in shown(here, "markdown")


@pytest.mark.parametrize(
    "answer",
    [
        "word " * 750_000,
        "x" * SIZE,
        "\x1b" * SIZE,
        "\n" * SIZE,
        " " * SIZE + "::x",
        "```" + "a" * SIZE + "`",
        "```" + " " * SIZE + "`",
        "a" + "_" * SIZE + "b",
        "`" * SIZE,
        "> " * (SIZE // 2),
        "``` json\n" + "[" * SIZE,
        "```json\n" + '{"a":' * 10_000 + "1" + "}" * 10_000 + "\n```",
        "```json\n" + "9" * SIZE + "\n```",
        "```json\n[" + '"\\' * (SIZE // 2) + "\n```",
    ],
    ids=lambda answer: repr(answer[:9]),
)
def test_a_huge_answer_is_cut_and_shown_in_each_format(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Time that is quadratic in its length would exceed any patience."""
    for module in ("events", "results"):
        monkeypatch.setattr(f"reconciler.tasks.{module}.MAX_WORDS", KEPT)
    answered(here, {"huge": answer})
    (task,) = json.loads(shown(here, "json"))["tasks"]
    assert len(task["answer"]) <= KEPT
    assert "data" not in task
    for form in FORMATS:
        text = shown(here, form, *(["-v"] if form in ("text", "markdown") else []))
        assert "huge" in text
