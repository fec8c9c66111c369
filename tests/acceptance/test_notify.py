"""`status --notify`: one message to a webhook about newly waiting or failed tasks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.remote import notification
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import TOKEN
from tests.support.webhook import Webhook, webhook


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as hook:
        monkeypatch.setenv("TASKCTL_NOTIFY_URL", hook.url)
        yield hook


def stand(place: LiveTasks) -> None:
    place.apply({"asks": "approving", "good": "finishing", "bad": "failing"})
    place.finish(asks="waiting", good="done", bad="failed")


def test_one_message_lists_waiting_and_failed_tasks(place: LiveTasks, hook: Webhook) -> None:
    stand(place)
    code, out, err = place.run("status", "--notify")
    assert code == 0
    assert "asks" in out
    assert err == "Notified: 1 waiting, 1 failed.\n"
    (sent,) = hook.sent
    assert sent.keys() == {"text", "mrkdwn", "unfurl_links", "unfurl_media"}
    assert {sent[name] for name in sent.keys() - {"text"}} == {False}
    head, *lines = sent["text"].split("\n")
    assert head == "taskctl: 1 waiting, 1 failed"
    assert lines[0].startswith("• `acme/asks asks for approval (")
    assert "May I run 'pulumi up' on the stack?" in lines[0]
    assert lines[1].endswith(f"who created the task, can do this: {place.task_id('asks')}")
    assert "set `answer-workflow` in taskctl.toml" in lines[2]
    assert lines[3].startswith("• `acme/bad failed: This is a simulated failure")
    assert hook.credentials == [None]


def test_without_changes_nothing_is_sent(place: LiveTasks, hook: Webhook) -> None:
    place.apply({"good": "finishing"})
    place.finish(good="done")
    assert place.run("status", "--notify")[::2] == (0, "")
    stand(place)
    place.time.advance(3)  # the service's clock has whole seconds
    assert place.run("status", "--notify", "--notify-since", "1s")[::2] == (0, "")
    assert hook.sent == []


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_webhook_error_does_not_change_the_exit_code(
    place: LiveTasks, hook: Webhook, status: int
) -> None:
    stand(place)
    with webhook() as other:
        hook.status, hook.headers = status, {"Location": other.url}
        code, _, err = place.run("status", "--notify", "-v")
        assert other.sent == []
    assert code == 0
    assert f"Not notified: HTTP {status}" in err
    assert "hook-of-the-team" not in err
    assert place.run("status", "--notify", "--exit-code")[0] == 1  # a task failed
    document = place.document("status", "--notify")
    assert document["diagnostics"] == []


def test_a_webhook_that_hangs_times_out(
    place: LiveTasks, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification, "TIMEOUT", 0.5)
    stand(place)
    hook.ready.clear()
    code, _, err = place.run("status", "--notify", "-v")
    assert code == 0
    assert "Not notified: " in err
    assert "hook-of-the-team" not in err


@pytest.mark.parametrize(
    "url",
    [
        "http://example.test/hook-of-the-team",
        "ftp://127.0.0.1/hook-of-the-team",
        "file:///hook-of-the-team",
        "https:///hook-of-the-team",
        "http://127.0.0.1:x/hook-of-the-team",
        "http://127.0.0.1:1/hook-of-the-team",
        "hook-of-the-team",
    ],
)
def test_invalid_urls_are_refused_and_not_printed(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    stand(place)
    monkeypatch.setenv("TASKCTL_NOTIFY_URL", url)
    code, out, err = place.run("status", "--notify", "-v")
    assert code == 0
    assert "Not notified: " in err
    assert "hook-of-the-team" not in out + err


def test_the_url_is_never_printed_and_never_read_from_the_repository(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, hook: Webhook
) -> None:
    stand(place)
    monkeypatch.delenv("TASKCTL_NOTIFY_URL")
    code, _, err = place.run("status", "--notify")
    assert code == 1
    assert "--notify requires the URL of a webhook in TASKCTL_NOTIFY_URL" in err
    for line in (f'notify = "{hook.url}"', f'notifyUrl = "{hook.url}"'):
        (place.folder / "taskctl.toml").write_text(f"{line}\n")
        assert place.run("status", "--notify")[0] == 1
    assert hook.sent == []


def test_no_local_credentials_are_sent_to_the_webhook(
    place: LiveTasks, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = place.folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    stand(place)
    assert place.run("status", "--notify")[0] == 0
    assert hook.credentials == [None]
    assert TOKEN not in str(hook.sent)
