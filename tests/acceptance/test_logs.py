"""`taskctl logs` on the embedded service, from start to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.app import logs
from tests.support.live_tasks import LONGER, LiveTasks


@pytest.fixture(autouse=True)
def _polls_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.05)


def ids(out: str) -> list[str]:
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_the_conversation_is_printed(place: LiveTasks) -> None:
    place.apply({"asks": "approving of ::error:: \x1b[31mred"})
    place.time.advance(LONGER)
    code, out, err = place.run("logs", "asks")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "user       approving of ::error:: \\x1b[31mred" in out
    assert "approval   May I run `pulumi up` on the stack?" in out
    assert "tool permission, sensitive, tool pulumi_up, id approval-" in out


def test_follow_continues_until_the_task_settles(place: LiveTasks) -> None:
    place.apply({"slow": "slow one"})
    code, out, _ = place.run("logs", "slow", "--follow", "--format", "json")
    assert code == 0
    told = ids(out)
    assert len(told) == len(set(told)) == 5
    assert told == ids(place.run("logs", "slow", "--format", "json")[1])


def test_follow_on_the_embedded_service(
    place: LiveTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.url = "local"
    place.apply({"good": "Just do it"})
    code, out, _ = place.run("logs", "good", "--follow")
    assert code == 0
    assert "tool       look done" in out
    assert "need attention." in out


def test_a_task_that_is_gone_or_not_visible_is_an_error(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply({"good": "finishing well"})
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    code, out, err = place.run("logs", "good")
    assert (code, out) == (1, "")
    assert "[TC733]" in err
