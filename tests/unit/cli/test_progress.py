"""The progress of an apply: the same facts in each form, with external text escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.app.ui import ApplyProgress
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.settling import Waiting
from reconciler.cli.console.progress import Bar, Lines
from reconciler.cli.console.terminal import FOOT
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from tests.support.escaping import commands_in, invisible_in

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "\x1b]0;owned\x07\x9b31m\n::error::stop\u202e\u2066 [red]x[/red]"
ONE = TaskRef("acme", "a")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wide terminal, without a row that a test has left."""
    monkeypatch.setenv("COLUMNS", "1000")
    yield
    FOOT.remove()


def progress(kind: str) -> ApplyProgress:
    if kind == "bar":
        return Bar(2, lambda: NOW)
    return Lines([], lambda: NOW, lambda _: None) if kind == "lines" else ApplyProgress()


def everything(shown: ApplyProgress, text: str) -> None:
    ref = TaskRef(f"org {text}", f"key {text}")
    shown.paused(4.0, text)
    shown.waiting(
        Waiting(
            {ref: NOW, ONE: NOW},
            NOW + timedelta(seconds=30),
            problem=(remark("apply.unknown", why=text),),
        )
    )
    shown.ended(
        TaskResult(ref, Result.FAILED, url=text, problems=(remark("apply.unknown", why=text),))
    )
    shown.close()


@pytest.mark.parametrize("kind", ["bar", "lines"])
def test_progress_text_is_inert(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    everything(progress(kind), HOSTILE)
    out, err = capfd.readouterr()
    assert out == ""
    assert "owned" in err
    if kind == "bar":
        err = re.sub(r"\r|\x1b\[(?:\d+A|J|K)", "", err)  # how the row is written again
    assert invisible_in(err) <= {"\n"}
    assert commands_in(err) == []


def test_a_log_has_one_line_per_wait_and_half_a_minute(
    capfd: pytest.CaptureFixture[str],
) -> None:
    now = NOW
    shown = Lines([], lambda: now, lambda _: None)
    why = (remark("apply.unknown", why="503: down"),)
    for _ in range(70):
        sent, until = NOW - timedelta(seconds=5), NOW + timedelta(seconds=160)
        shown.waiting(Waiting({ONE: sent}, until, why))
        now += timedelta(seconds=1)
    assert capfd.readouterr().err.splitlines() == [
        "outcome unknown for acme/a (sent 11:59:55 UTC); checking whether the task exists, up to "
        f"{left} s left (503: down)"
        for left in (160, 130, 100)
    ]


def test_a_log_says_why_no_create_is_sent(capfd: pytest.CaptureFixture[str]) -> None:
    Lines([], lambda: NOW, lambda _: None).paused(4.0, "503: down")
    assert capfd.readouterr().err == (
        "The outcome of a create request is unknown (503: down). Pausing create requests for 4 s.\n"
    )


def test_a_terminal_counts_down(capfd: pytest.CaptureFixture[str]) -> None:
    now = NOW
    shown = Bar(1, lambda: now)
    for _ in range(3):
        shown.waiting(Waiting({ONE: NOW}, NOW + timedelta(seconds=160)))
        now += timedelta(seconds=1)
    err = capfd.readouterr().err
    assert [f"up to {left} s left" in err for left in (160, 159, 158)] == [True] * 3


def test_quiet_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    shown = ApplyProgress()
    shown.waiting(Waiting({ONE: NOW}, NOW))
    shown.ended(TaskResult(TaskRef("acme", "a"), Result.CREATED))
    shown.close()
    assert capfd.readouterr() == ("", "")


def test_results_are_shown_in_the_order_of_the_plan() -> None:
    """A task that is unresolved does not delay those after it, and is shown again later."""
    refs = [TaskRef("acme", key) for key in "abcd"]
    shown: list[str] = []
    lines = Lines(refs, lambda: NOW, lambda r: shown.append(f"{r.ref.key} {r.result.value}"))
    lines.ended(TaskResult(refs[1], Result.CREATED))
    assert shown == []
    lines.ended(TaskResult(refs[0], Result.UNRESOLVED))
    assert shown == ["a unresolved", "b created"]
    lines.ended(TaskResult(refs[3], Result.CREATED))
    lines.ended(TaskResult(refs[0], Result.CREATED))
    assert shown[2:] == ["a created"]
    lines.ended(TaskResult(refs[2], Result.FAILED))
    assert shown[3:] == ["c failed", "d created"]
