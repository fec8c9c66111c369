"""Prompts of approve, cancel and apply at a real terminal."""

from __future__ import annotations

import os

import pytest

from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import ROOT
from tests.support.shells import Shell, typed

CTRL_C, CTRL_D = "\x03", "\x04"
NOES = {
    "n\n": (1, "Nothing was sent."),
    "\n": (1, "Nothing was sent."),
    CTRL_D: (1, "Nothing was sent."),
    CTRL_C: (130, "interrupted"),
}
YES = ("yes\n", "y\n", "Y\n")
"""Where nothing is created."""


def at_terminal(place: LiveTasks, *arguments: str) -> Shell:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return typed(place.folder, env, *arguments, "--backend", place.url)


@pytest.mark.parametrize("answer", NOES)
def test_approve_requires_yes(place: LiveTasks, answer: str) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "approve", "asks") as person:
        person.until("Approve this request? [y/N] ")
        assert "May I run `pulumi up` on the stack?" in person.screen
        person.type(answer)
        code, words = NOES[answer]
        assert person.ended() == code
        assert words in person.screen
        assert "Traceback" not in person.screen
    assert place.statuses() == {"asks": "waiting"}


@pytest.mark.parametrize(
    "words", [["approve"], ["reject", "-m", "No."], ["cancel"]], ids=lambda words: words[0]
)
def test_another_user_is_told_before_the_question(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    place.apply({"asks": "approving", "more": "approving too"}, isShared=True)
    place.finish(asks="waiting", more="waiting")
    with at_terminal(place, words[0], "asks", "more", *words[1:]) as person:
        person.until("[y/N] ")
        assert "who created" not in person.screen
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "a-colleague")
    with at_terminal(place, words[0], "asks", "more", *words[1:]) as person:
        person.until("[y/N] ")
        screen = " ".join(person.screen.split())
        assert "Another user created acme/asks, and only its creator can do this." in screen
        assert "Only user-" in screen


@pytest.mark.parametrize("answer", YES)
def test_yes_approves(place: LiveTasks, answer: str) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "approve", "asks") as person:
        person.until("[y/N] ")
        person.type(answer)
        assert person.ended() == 0
        assert "acme/asks: Approved." in person.screen
    place.finish(asks="done")


@pytest.mark.parametrize("answer", NOES)
def test_cancel_requires_yes(place: LiveTasks, answer: str) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "cancel", "asks") as person:
        person.until("Cancel acme/asks? [y/N] ")
        person.type(answer)
        code, words = NOES[answer]
        assert person.ended() == code
        assert words in person.screen
    assert place.statuses() == {"asks": "waiting"}


def test_yes_confirms_a_forced_cancel(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "cancel", "asks", "--force") as person:
        person.until("End the session of acme/asks?")
        person.type("yes\n")
        assert person.ended() == 0
    place.finish(asks="cancelled")


def test_reject_does_not_prompt(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "reject", "asks", "-m", "Use a preview.") as person:
        assert person.ended() == 0
        assert person.screen.index("May I run") < person.screen.index("acme/asks: Rejected.")
    place.finish(asks="done")


def test_ctrl_c_ends_the_wait_and_keeps_the_output(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "wait") as person:
        person.until("\r1 waiting.\x1b[K")
        person.type(CTRL_C)
        assert person.ended() == 130
        said = person.screen.index("Stopped waiting.")
        assert "1 waiting." in person.screen[said:]


def test_ctrl_c_ends_a_log_without_an_error(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    with at_terminal(place, "logs", "asks", "--follow") as person:
        person.until("May I run")
        person.type(CTRL_C)
        assert person.ended() == 130
        assert "error" not in person.screen


@pytest.mark.parametrize("answer", [*NOES, "y\n", "yes\n"])
def test_apply_counts_unattended_tasks(place: LiveTasks, answer: str) -> None:
    place.write({"one": "finishing", "two": "finishing too"}, approvalMode="auto")
    with at_terminal(place, "apply") as person:
        person.until("2 of these tasks are unattended. Create 2 tasks? Only 'yes' is accepted: ")
        assert "+ one [unattended]" in person.screen
        person.type(answer)
        assert person.ended() == (0 if answer == "yes\n" else NOES.get(answer, (1,))[0])
    assert len(place.document("status")["tasks"]) == (2 if answer == "yes\n" else 0)
