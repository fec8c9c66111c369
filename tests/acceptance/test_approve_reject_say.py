"""approve, reject, say and cancel on the embedded service."""

from __future__ import annotations

import io
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.value import replace
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError, ServiceResponse
from reconciler.tasks import events
from reconciler.tasks.events import Approval, approval_in
from tests.support.live_tasks import LiveTasks
from tests.support.references import without_reference
from tests.support.sandbox import TOKEN


def bodies(place: LiveTasks, key: str) -> list[dict[str, Any]]:
    path = f"{place.api.tasks}/{place.task_id(key)}/events"
    events: list[dict[str, Any]] = place.api.call("GET", path).json["events"]
    return [event["eventBody"] for event in events]


def test_approve_shows_the_request_and_sends_the_answer(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    request = place.request("asks")
    code, out, err = place.run("approve", "asks", "--request", request, "-y")
    assert (code, out) == (0, "acme/asks: Approved.\n")
    assert "acme/asks asks:\n  May I run `pulumi up` on the stack?" in err
    assert "+ runtime: nodejs" in err
    place.finish(asks="done")
    code, out, err = place.run("approve", "asks", "--request", request, "-y")
    assert (code, out) == (1, "")
    assert "no pending approval; the task is done" in err


def test_approve_without_a_terminal_sends_nothing(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    code, _, err = place.run("approve", "asks")
    assert code == 1
    assert "taskctl approve acme/asks --request approval-" in err
    assert "[TC820]" in place.run("approve", "asks", "--request", "odd", "-y")[2]
    assert place.statuses() == {"asks": "waiting"}


@pytest.mark.parametrize("words", [["approve", "asks", "-y"], ["reject", "*", "-m", "No", "-y"]])
def test_nothing_is_answered_that_nobody_saw(place: LiveTasks, words: list[str]) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    code, _, err = place.run(words[0], *words[1:])
    assert (code, "--yes requires --request ID" in err) == (1, True), err
    assert place.statuses() == {"asks": "waiting"}


@pytest.mark.parametrize("selector", ["*", "a*", "tasks", "tasks/all.yaml"])
@pytest.mark.parametrize("words", [["approve"], ["reject", "-m", "No"]])
def test_the_id_of_a_request_answers_no_other_one(
    place: LiveTasks, words: list[str], selector: str
) -> None:
    place.apply({"asks": "approving", "also": "approving too"})
    place.finish(asks="waiting", also="waiting")
    for request in ("odd", place.request("asks")):
        code, out, err = place.run(words[0], selector, *words[1:], "--request", request, "-y")
        assert (code, out) == (1, ""), err
        assert "--request requires a single KEY" in err
    assert place.statuses() == {"asks": "waiting", "also": "waiting"}


def test_a_hostile_id_in_a_suggested_command_runs_nothing(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "$(touch x); touch x #'"

    def named(event: Mapping[str, Any]) -> Approval | None:
        found = approval_in(event)
        return None if found is None else replace(found, id=f"{evil}{found.id}")

    monkeypatch.setattr(events, "approval_in", named)
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    (line,) = [row for row in place.run("approve", "asks")[2].splitlines() if "-y" in row]
    words = shlex.split(line)
    option, request, yes = words[: words.index("--backend")][-3:]
    assert (option, yes) == ("--request", "-y")
    assert request.startswith(evil)


@pytest.mark.parametrize("text", ["", " \n", "caf\udce9"])
def test_empty_messages_and_binary_data_are_not_sent(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    place.apply({"asks": "approving", "good": "finishing"})
    place.finish(asks="waiting", good="done")
    given = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogateescape")))
    monkeypatch.setattr("sys.stdin", given)
    why = "is empty" if not text.strip() else "not valid UTF-8"
    for words in (["say", "good", text], ["say", "good", "-"], ["reject", "asks", "-m", text]):
        code, out, err = place.run(*words)
        assert (code, out) == (1, "")
        assert why in err
    assert place.statuses() == {"asks": "waiting", "good": "done"}


def test_a_question_is_answered_in_words(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    """As in Pulumi's CLI: `ok: false`, with the answer as instructions."""

    def asking(event: Mapping[str, Any]) -> Approval | None:
        found = approval_in(event)
        context = {"tool_name": "ux__ask_user"}
        return found and replace(found, body={**found.body, "context": context})

    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    assert (
        "[TC736]" in place.answer("approve", "asks", "-m", "eu-west-1")[2]
    )  # the request is not a question
    shutil.rmtree(cache_folder)
    monkeypatch.setattr(events, "approval_in", asking)
    code, out, err = place.answer("approve", "asks")
    assert (code, out) == (1, "")
    assert "[TC736]" in err
    assert f"taskctl approve acme/asks --request {place.request('asks')} -m TEXT" in err
    code, out, err = place.answer("approve", "asks", "-m", "eu-west-1")
    assert (code, out) == (0, "acme/asks: Answered.\n")
    (sent,) = [body for body in bodies(place, "asks") if body["type"] == "user_confirmation"]
    assert (sent["ok"], sent["instructions"]) == (False, "eu-west-1")
    place.finish(asks="done")


def test_a_cancel_that_is_refused_as_busy_suggests_force(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.time.stop()
    place.apply({"slow": "slow one"})
    monkeypatch.setattr(Client, "post_to_task", answered(409, "busy"))
    err = place.run("cancel", "slow", "-y")[2]
    assert "[TC731]" in err
    assert "taskctl cancel --force acme/slow" in err
    assert "[TC822]" in place.run("cancel", "slow", "--force", "-y")[2]


def test_reject_sends_instructions(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    assert "[TC807]" in place.run("reject", "asks", "-m", "Use a preview.")[2]
    words = ("--request", place.request("asks"), "-m", "Use a preview.")
    assert place.run("reject", "asks", *words)[1] == "acme/asks: Rejected.\n"
    place.finish(asks="done")
    out = place.run("logs", "asks")[1]
    assert "answer     rejected: Use a preview." in out
    assert "Understood: Use a preview." in out


def test_say_reaches_an_idle_task_and_a_busy_one_refuses_it(place: LiveTasks) -> None:
    place.time.stop()
    place.apply({"good": "finishing", "slow": "slow one"})
    code, out, err = place.run("say", "slow", "And more.")
    assert (code, out) == (1, "")
    assert "the task is busy" in err
    place.time.advance(0.2)
    code, out, err = place.run("say", "good", "And more.")
    assert (code, out) == (0, "acme/good: Message sent.\n")
    assert err.startswith("acme/good: done (")
    assert place.run("say", "good", " ")[0] == 1
    said = [body["content"] for body in bodies(place, "good") if body["type"] == "user_message"]
    assert list(map(without_reference, said)) == ["finishing", "And more."]


def test_cancel_is_a_request_and_force_ends_the_session(place: LiveTasks) -> None:
    place.apply({"one": "asking one", "two": "asking two", "asks": "approving"})
    assert "taskctl cancel acme/one -y" in place.run("cancel", "one")[2]
    assert place.run("cancel", "one", "-y")[:2] == (0, "acme/one: Cancelled.\n")
    code, out, _ = place.run("cancel", "two", "--force", "-y")
    assert (code, out) == (0, "acme/two: Session ended.\n")
    place.finish(one="cancelled", two="cancelled", asks="waiting")
    assert place.run("cancel", "asks", "-y")[0] == 0
    assert place.statuses()["asks"] == "cancelled"
    assert place.run("cancel", "one", "-y")[1] == "acme/one: The task has already ended.\n"
    assert "user_cancel" in [body["type"] for body in bodies(place, "one")]
    assert "user_cancel" not in [body["type"] for body in bodies(place, "two")]


def test_a_task_that_the_state_does_not_know_is_cancelled_by_its_id(place: LiveTasks) -> None:
    place.time.stop()
    place.apply({"one": "slow one"})
    extra = place.api.create("slow one")
    assert place.run("cancel", f"acme/{extra}", "-y")[:2] == (0, f"acme/{extra}: Cancelled.\n")
    assert place.statuses()["one"] == "running"
    events = place.api.events(extra)
    assert events[-1]["eventBody"]["type"] == "cancelled"


def test_a_task_of_another_user_is_distinguished(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single 404 does not prove that a task is gone."""
    place.apply({"good": "finishing"}, isShared=True)
    monkeypatch.setattr(Client, "post_to_task", answered(404, "Not Found"))
    assert "[TC735]" in place.run("say", "good", "x")[2]
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    for status in (403, 404):
        monkeypatch.setattr(Client, "post_to_task", answered(status, "no"))
        assert "[TC733]" in place.run("say", "good", "x")[2]


def answered(status: int, words: str) -> Any:
    return lambda *_: ServiceResponse(status, {}, {"code": status, "message": words}, 0.0)


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("status", [0, 408, 425, 500])  # 0: no response
def test_a_lost_response_is_looked_up_and_nothing_is_sent_twice(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, status: int, *, arrives: bool
) -> None:
    place.apply({"good": "finishing"})
    place.finish(good="done")
    tell, sent = Client.post_to_task, []

    def lost(
        self: Client, org_name: str, task_id: str, body: Mapping[str, Any], part: str = ""
    ) -> ServiceResponse:
        sent.append(body)
        if arrives:
            tell(self, org_name, task_id, body, part)
        if not status:
            raise NoResponseError(ConnectionResetError(), begun=True)
        return ServiceResponse(status, {}, {"code": status, "message": "no"}, 0.0)

    monkeypatch.setattr(Client, "post_to_task", lost)
    code, _, err = place.run("say", "good", "And more.")
    assert len(sent) == 1
    assert code == (0 if arrives else 1)
    assert ("[TC734]" in err) is not arrives
    assert TOKEN not in err


def test_json_is_one_document(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    request = place.request("asks")
    document = place.document("approve", "asks", "--request", request, "-y")
    (response,) = document["responses"]
    assert response["answered"]["approval_type"] == "tool_permission"
    assert response["sent"]["ok"] is True
    document = place.document("approve", "asks", "--request", request, "-y")
    assert document["diagnostics"][0]["severity"] == "error"


def test_named_keys_without_a_request_are_reported(place: LiveTasks) -> None:
    place.apply({"asks": "approving", "done": "finishing"})
    place.finish(asks="waiting", done="done")
    note = "acme/done: no pending approval\n"
    assert note in place.run("approve", "asks", "done")[2]
    assert note not in place.run("approve", "*")[2]
