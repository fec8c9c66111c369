"""The name of an entry selects all of its tasks, except where agents are spoken to."""

from __future__ import annotations

import pytest

from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

ENTRY = {"forEach": {"row": ["a", "b"]}, "message": "upgrade {{ row }}"}
ROWS = {"up@a", "up@b"}


@pytest.fixture
def applied(here: InProcess) -> InProcess:
    here.sandbox.write({"up": ENTRY, **as_tasks({"other": "do it", "up2": "do more"})})
    assert here.run("apply", "--target", "up").results() == dict.fromkeys(ROWS, "created")
    assert here.run("apply").results() == dict.fromkeys(("other", "up2"), "created")
    return here


def keys(here: InProcess, *words: str) -> set[str]:
    ended = here.run(words[0], *words[1:])
    return {task["key"] for task in ended.document["tasks"]}


@pytest.mark.parametrize("name", ["up", "acme/up"])
def test_an_entry_selects_its_tasks(applied: InProcess, name: str) -> None:
    for words in (("plan", "--target", name), ("status", name), ("results", name)):
        assert keys(applied, *words) == ROWS, words


def test_a_key_takes_precedence_over_an_entry_and_both_over_a_path(applied: InProcess) -> None:
    for name in ("other", "up"):
        folder = applied.sandbox.folder / name
        folder.mkdir()
    assert keys(applied, "status", "up") == ROWS
    assert keys(applied, "status", "other") == {"other"}
    assert keys(applied, "status", "tasks") == {*ROWS, "other", "up2"}


@pytest.mark.parametrize("words", [("approve",), ("say",), ("cancel", "-y")])
def test_nothing_is_sent_to_the_tasks_of_an_entry(
    applied: InProcess, words: tuple[str, ...]
) -> None:
    before = len(applied.server.of("respond"))
    more = ("stop",) if words == ("say",) else ()
    ended = applied.run(words[0], "up", *more, *words[1:])
    assert (ended.code, "[TC617]" in ended.stderr) == (1, True), ended
    assert len(applied.server.of("respond")) == before
