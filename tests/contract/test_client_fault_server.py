"""The fault server behaves as the tests that use it assume."""

from __future__ import annotations

import pytest

from reconciler.model.reference import Reference
from reconciler.model.service import Created, Unknown
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN, QUICK, create_body, make_client
from tests.support.fault_server import Call, Fault, FaultServer, Habits, Rule
from tests.support.fault_world import References
from tests.support.state_samples import STATE_ID

REFERENCE = Reference("do-it", 3, STATE_ID)
SENT = f"Do it.\n\n{REFERENCE.line}"


def created(client: Client, text: str = "Do it.") -> str:
    outcome = client.create_task("acme", create_body(text), OPEN)
    assert isinstance(outcome, Created)
    return outcome.task_id


def listed(client: Client) -> list[str]:
    return [task.id for page in client.list_tasks("acme") for task in page]


def test_list_lag_uses_the_server_clock() -> None:
    with FaultServer(habits=Habits(list_lag=10.0)) as server, make_client(server.url) as client:
        task_id = created(client)
        assert listed(client) == []
        assert client.get_task("acme", task_id) is not None
        server.habits.clock_offset += 10.0
        assert listed(client) == [task_id]


@pytest.mark.parametrize(
    ("references", "text", "is_shown"),
    [
        ("kept", "Do it.", True),
        ("stripped", "Do it.", False),
        ("cut", SENT[:-6], False),
        ("redacted", "Do it.\n\nTaskctl-Task: [REDACTED]", False),
    ],
)
def test_references(references: References, text: str, is_shown: bool) -> None:
    habits = Habits(references=references)
    with FaultServer(habits=habits) as server, make_client(server.url) as client:
        message = client.first_message("acme", created(client, SENT))
        assert list(server.tasks_by_work()) == ["Do it."]
        (sent,) = server.references()["Do it."]
    assert message is not None
    assert (message.text, message.reference) == (text, REFERENCE if is_shown else None)
    assert sent == ("Do it.", *REFERENCE)


def test_redaction_changes_only_the_shown_text() -> None:
    text = "Use AKIAABCDEFGHIJKLMNOP and password=hunter2"
    with FaultServer(habits=Habits(redact=True)) as server, make_client(server.url) as client:
        message = client.first_message("acme", created(client, text))
        assert list(server.tasks_by_work()) == [text]
    assert message is not None
    assert message.text == "Use [REDACTED] and password=[REDACTED]"


def test_each_token_has_its_own_identity_and_tasks() -> None:
    with FaultServer() as server, make_client(server.url) as mine:
        theirs = Client(Transport(server.url, "another-token"))
        task_id = created(mine)
        assert not mine.identity().same_as(theirs.identity())
        assert theirs.get_task("acme", task_id) is None
        assert listed(theirs) == []
        mine.patch_task("acme", task_id, {"isShared": True})
        assert listed(theirs) == [task_id]
        theirs.close()


def test_rules_match_by_number_text_and_task() -> None:
    rules = [
        Rule("create", Fault("status", status=500), nth=(2,)),
        Rule("create", Fault("reset", committed=True), contains="second", nth=(1,)),
        Rule("get", Fault("status", status=404), task="hidden"),
    ]
    with FaultServer(rules) as server, make_client(server.url) as client:
        created(client, "first")
        assert isinstance(client.create_task("acme", create_body("other"), OPEN), Unknown)
        assert isinstance(client.create_task("acme", create_body("second"), OPEN), Unknown)
        created(client, "second")
        assert {k: len(v) for k, v in server.tasks_by_work().items()} == {"first": 1, "second": 2}
        assert client.get_task("acme", "hidden") is None


def test_a_function_can_choose_the_fault() -> None:
    def choose(call: Call) -> Fault | None:
        return Fault("status", status=503) if call.nth % 2 else None

    with FaultServer(choose) as server, make_client(server.url) as client:
        assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        created(client)


def test_a_slow_commit_survives_its_client() -> None:
    with FaultServer([Rule("create", Fault(before=900))]) as server:
        with make_client(server.url, timeouts=QUICK) as client:
            assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        assert server.tasks_by_work() == {}
        server.release()
        server.wait_for_tasks(1)
        assert len(server.tasks_by_work()["Do it."]) == 1
