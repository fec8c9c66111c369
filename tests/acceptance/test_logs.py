"""`taskctl logs` on the embedded service, with streams cut, refused and polled."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from requests import Response

from reconciler.remote import event_stream
from reconciler.remote.client import Client
from tests.support.live_tasks import LiveTasks, live_tasks


@pytest.fixture(autouse=True)
def _polls_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.05)


def ids(out: str) -> list[str]:
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_the_conversation_is_printed(place: LiveTasks) -> None:
    place.apply({"asks": "approving of ::error:: \x1b[31mred"})
    time.sleep(0.2)
    code, out, err = place.run("logs", "asks")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "user       approving of ::error:: \\x1b[31mred" in out
    assert "approval   May I run `pulumi up` on the stack?" in out
    assert "tool permission, sensitive, tool pulumi_up, id approval-" in out
    assert place.run("logs", "asks", "--since", "1d")[1] == out
    assert place.run("logs", "asks", "--since", "2999-01-01T00:00:00Z")[1] == ""
    assert "[TC815]" in place.run("logs", "asks", "--since", "soon")[2]


def test_follow_continues_until_the_task_settles(place: LiveTasks) -> None:
    place.apply({"slow": "slow one"})
    code, out, _ = place.run("logs", "slow", "--follow", "--format", "json")
    assert code == 0
    told = ids(out)
    assert len(told) == len(set(told)) == 42
    assert told == ids(place.run("logs", "slow", "--format", "json")[1])


class Cut:
    """A stream that disconnects after this many reads."""

    def __init__(self, answer: Response, reads: int) -> None:
        self._raw, self._left = answer.raw, reads

    def read1(self, size: int) -> bytes:
        if not self._left:
            raise ConnectionResetError
        self._left -= 1
        data: bytes = self._raw.read1(size)
        return data[: len(data) // 2] if not self._left else data

    def __getattr__(self, name: str) -> object:
        return getattr(self._raw, name)


def test_follow_reconnects_after_each_disconnect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, after = Client.open_events, []

    def cut(self: Client, org_name: str, task_id: str, last: str, idle: float) -> Response:
        after.append(last)
        answer = opened(self, org_name, task_id, last, idle)
        answer.raw = Cut(answer, 3)
        return answer

    monkeypatch.setattr(Client, "open_events", cut)
    with live_tasks(
        tmp_path, monkeypatch, capsys, work_seconds=0.2
    ) as place:  # longer than an apply
        place.apply({"slow": "slow one"})
        out = place.run("logs", "slow", "--follow", "--format", "json")[1]
    assert len(ids(out)) == 42
    assert len(after) > 1
    assert len(set(after)) == len(after)
    assert all(after)


@pytest.mark.parametrize("status", [404, 501, 200])
def test_without_streams_events_are_polled(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def refused(*_: object) -> Response:
        answer = Response()
        answer.status_code, answer.raw = status, io.BytesIO()
        answer.headers["Content-Type"] = "text/html"
        return answer

    monkeypatch.setattr(Client, "open_events", refused)
    place.apply({"slow": "slow one"})
    out = place.run("logs", "slow", "--follow", "--format", "json")[1]
    assert len(ids(out)) == 42


def test_the_embedded_service_streams_too(
    place: LiveTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.url = "local"
    place.apply({"good": "Just do it"})
    code, out, _ = place.run("logs", "good", "--follow")
    assert code == 0
    assert "tool       look done after" in out
    assert "**Just do it**" in out


def test_a_task_that_is_gone_or_not_visible_is_an_error(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply({"good": "finishing well"})
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    code, out, err = place.run("logs", "good")
    assert (code, out) == (1, "")
    assert "[TC733]" in err
