"""The result of a task, from whatever an agent wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.canonical import ABSENT
from reconciler.model.task import TaskRef
from reconciler.tasks.events import MAX_WORDS, EventSummary, advance
from reconciler.tasks.results import (
    ListedPullRequest,
    NoData,
    data_in,
    first_line,
    result_of,
)
from reconciler.tasks.status import TaskStatus, state_of
from tests.support.agent_events import agent_event, agent_message, user_event

ASKED = user_event("user_message", content="Do it.")


def status(*events: dict[str, Any], **raw: Any) -> TaskStatus:
    outputs = {"status": "idle", **raw}
    summary = advance(EventSummary(), events)
    state = state_of(outputs, summary)
    return TaskStatus(TaskRef("acme", "a"), state, raw=outputs, summary=summary)


def fenced(text: str, info: str = "json") -> str:
    return f"Done.\n\n```{info}\n{text}\n```\n"


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (fenced('{"a": [1, 2.5, null]}'), {"a": [1, 2.5, None]}),
        (fenced("1") + fenced("2"), 2),
        (fenced("1") + fenced("2", "yaml"), 1),
        (fenced("1", "JSON"), 1),
        ("~~~json\n1\n~~~", 1),
        ("````json\n1\n```\n````", NoData.SYNTAX),
        (fenced("1") + "```json\n2", 1),
        (fenced("1") + fenced("oops"), NoData.SYNTAX),
        (fenced("1") + "- Result:\n\n    ```json\n    [\n    2]\n    ```\n", [2]),
        (fenced("1") + "1. ```json\n   2\n   ```", 2),
        (fenced("1") + "> ```json\n> [\n>2\n > ]\n> ```\nDone.", [2]),
        (fenced("1") + "> - > ```json\n>   > 2\n>   > ```", 2),
        (fenced("1") + "> ```json\n> 2\n```", NoData.UNCLOSED),
        ("> ```json\n> 2\n" + fenced("3"), 3),
        ("````text\n```json\n1\n```\n````\n", NoData.MISSING),
        ("```\n> ```json\n> 1\n> ```\n```", NoData.MISSING),
        (fenced("```json\n1\n```", "text"), NoData.MISSING),
        ('{"whole": true}', {"whole": True}),
        (" [1]\n", [1]),
        ("[a link](x) and more", NoData.MISSING),
        ("Done.", NoData.MISSING),
        ("", NoData.MISSING),
        (fenced(""), NoData.SYNTAX),
        (fenced('{"a": 1, "a": 2}'), NoData.DUPLICATE),
        (fenced("[NaN]"), NoData.NUMBER),
        (fenced("[-Infinity]"), NoData.NUMBER),
        (fenced("[1e999]"), NoData.NUMBER),
        (fenced("9" * 5000), NoData.NUMBER),
        (fenced("[" * 100 + "]" * 100), json.loads("[" * 100 + "]" * 100)),
        (fenced("[" * 101 + "]" * 101), NoData.DEPTH),
        (fenced('{"a":' * 10_000 + "1" + "}" * 10_000), NoData.DEPTH),
        (fenced("[" * 10_000), NoData.DEPTH),
        (fenced('["' + "[" * 500 + '"]'), ["[" * 500]),
        (fenced('\\"' * 300_000), NoData.SYNTAX),
        (fenced('"' + "\\" * 300_001), NoData.SYNTAX),
    ],
)
def test_data_is_the_last_closed_json_block_or_an_error(answer: str, data: object) -> None:
    assert data_in(answer) == data


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_data_is_read_back(value: object) -> None:
    assert data_in(fenced(json.dumps(value))) == value


@given(st.text())
def test_any_text_is_an_answer(text: str) -> None:
    data_in(text)
    assert "\n" not in first_line(text)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("\n\n# **Upgraded** `aws`\nmore", "Upgraded aws"),
        ("```\ncode\n```\n> - snake_case stays", "snake_case stays"),
        ("1. _first_", "first"),
        ("- ```\n  code\n  ```\nafter", "after"),
        ("> ```\n> code\nafter", "after"),
        (fenced("1", "json").removeprefix("Done."), ""),
    ],
)
def test_the_first_line_has_no_marks(answer: str, line: str) -> None:
    assert first_line(answer) == line


def test_a_long_answer_is_cut_and_has_no_data() -> None:
    text = "é" * (5 << 20) + fenced("1")
    result = result_of(status(ASKED, agent_message(text, final=True)))
    assert len(result.answer.encode()) == MAX_WORDS
    assert (result.data, result.no_data) == (ABSENT, NoData.CUT)


def test_an_error_is_no_answer() -> None:
    result = result_of(status(ASKED, agent_event("error", message="No access.")))
    assert (result.answer, result.error) == ("", "No access.")


@pytest.mark.parametrize(
    "raw", [{"status": "running"}, {"pendingInputCount": 1}, {"toolExecutionMode": "cli"}]
)
def test_a_task_at_work_has_no_answer(raw: dict[str, Any]) -> None:
    call = {"id": "c", "name": "ls", "args": {}, "execution_mode": "cli"}
    calls = [call] if "toolExecutionMode" in raw else []
    done = agent_message("Done", final=True, tool_calls=calls)
    assert result_of(status(ASKED, done, **raw)).answer == ""


def request(number: object = 7, **repo: object) -> dict[str, Any]:
    place = {"type": "repository", "org": "acme", "name": "net", "forge": "github", **repo}
    return {"type": "pull_request", "number": number, "merged": True, "repo": place}


def test_pull_requests_that_a_message_attached_do_not_count() -> None:
    attached = request()
    del attached["repo"]["forge"]  # the service may add it
    message = user_event("user_message", content="Look.", entity_diff={"add": [attached]})
    done = agent_message("Done", final=True)
    listed = [request(), request(8), request(8), {"type": "stack", "name": "s"}, "odd", None]
    (found,) = result_of(status(message, done, entities=listed)).pull_requests
    assert (found.number, found.is_merged, found.text) == (8, True, "acme/net#8")


@pytest.mark.parametrize(
    ("repo", "text", "url"),
    [
        ({}, "acme/net#7", "https://github.com/acme/net/pull/7"),
        (
            {"forge": "gitlab", "org": "a/b"},
            "a/b/net#7",
            "https://gitlab.com/a/b/net/-/merge_requests/7",
        ),
        ({"forge": "bitbucket"}, "acme/net#7", "https://bitbucket.org/acme/net/pull-requests/7"),
        (
            {"host": "git.example.com"},
            "git.example.com/acme/net#7",
            "https://git.example.com/acme/net/pull/7",
        ),
        ({"host": "GitHub.com"}, "acme/net#7", "https://github.com/acme/net/pull/7"),
        ({"forge": "azure_devops"}, "acme/net#7", None),
        ({"forge": ""}, "acme/net#7", None),
        ({"forge": "javascript"}, "acme/net#7", None),
        ({"org": ".."}, "../net#7", None),
        ({"org": "a/b"}, "a/b/net#7", None),
        ({"name": "x?y=1"}, "acme/x?y=1#7", None),
        ({"host": "evil.example/a"}, "evil.example/a/acme/net#7", None),
        ({"host": "github.com@evil.example"}, "github.com@evil.example/acme/net#7", None),
        ({"host": "localhost"}, "localhost/acme/net#7", None),
    ],
)
def test_links_are_built_from_plain_parts(repo: dict[str, Any], text: str, url: str | None) -> None:
    found = ListedPullRequest(7, False, request(**repo)["repo"])
    assert (found.text, found.url) == (text, url)


@pytest.mark.parametrize(
    "odd",
    [
        request(number="7"),
        request(number=True),
        request(org=None),
        request(name=3),
        {**request(), "repo": 1},
    ],
)
def test_odd_entities_are_no_pull_requests(odd: object) -> None:
    done = agent_message("Done", final=True)
    assert result_of(status(ASKED, done, entities=[odd])).pull_requests == ()
