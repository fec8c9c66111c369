"""The GitHub Action with `command: results`, on the embedded service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_action import write
from tests.support.action_runner import Runner
from tests.support.git_server import bare_repository, git
from tests.support.github_api import TOKEN as GITHUB_TOKEN
from tests.support.github_api import GitHub
from tests.support.sandbox import TOKEN

PUSH = {"GITHUB_EVENT_NAME": "push", "GITHUB_SHA": "a" * 40}
MARKER = "<!-- taskctl-results:. -->"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as github:
        yield github


@pytest.fixture
def runner(tmp_path: Path, github: GitHub) -> Runner:
    """A push; a task has ended with an answer and a pull request."""
    runner = Runner(tmp_path / "runner", tmp_path / "work", github.url, pull_request=None)
    bare_repository(tmp_path, "team")
    git(tmp_path, "clone", "-q", "team.git", "work")
    write(runner, {"up": 'Do it ```json {"fruit": "PEACH"} ```'})
    ran = runner.script("apply", backend="local", args="--wait --interval 100ms -q")
    assert ran.code == 0, ran.said
    return runner


@pytest.mark.tools
def test_a_table_without_answers_is_in_the_summary_and_one_comment(
    runner: Runner, github: GitHub
) -> None:
    runner.pull_request = 7
    for _ in range(2):
        ran = runner.script("results", backend="local")
        assert ran.code == 0, ran.said
    (body,) = github.bodies(7)
    assert body.removeprefix(f"{MARKER}\n") == ran.summary.removesuffix("\n")
    assert "`up`" in body
    assert "https://redirect.github.com/acme/network/pull/" in body
    assert "https://github.com" not in body
    for text in ("PEACH", TOKEN, GITHUB_TOKEN):
        assert text not in ran.said + ran.summary
    assert ran.outputs == {}
    ran = runner.script("results", backend="local", show_text="true")
    assert ("PEACH" in ran.summary, "PEACH" in github.bodies(7)[0]) == (True, True)
    assert len(github.bodies(7)) == 1


@pytest.mark.tools
def test_the_input_the_event_and_the_commit_select_the_issue(
    runner: Runner, github: GitHub
) -> None:
    github.of_commit = [5]
    runner.env = {**PUSH, "GITHUB_EVENT_NAME": "schedule"}
    ran = runner.script("results", backend="local")
    assert (ran.code, "`up`" in ran.summary, github.calls) == (0, True, []), ran.said
    runner.env = PUSH
    assert runner.script("results", backend="local").code == 0
    assert list(github.comments) == [5]
    github.of_commit = [5, 6]
    assert "No comment" in runner.script("results", backend="local").said
    runner.pull_request = 7
    assert runner.script("results", backend="local").code == 0
    assert runner.script("results", backend="local", issue_number="9").code == 0
    assert list(github.comments) == [5, 7, 9]
    assert {number: len(found) for number, found in github.comments.items()} == {5: 1, 7: 1, 9: 1}
