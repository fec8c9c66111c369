"""The manifest entry of an existing task."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.importing.declaration import (
    Declaration,
    Opening,
    declare,
    read_opening,
    remove_rejected,
)
from reconciler.manifest import insertion
from reconciler.manifest.insertion import NewTask, insert
from reconciler.manifest.parse.source import Source, read_source
from reconciler.model.codes import Code
from reconciler.model.paths import shown
from reconciler.model.reference import Reference
from reconciler.model.service import Identity, RemoteTask
from tests.unit.manifest.test_manifest_insertion import TEXTS

ME = Identity("1", login="me")


def task(**raw: Any) -> RemoteTask:
    return RemoteTask("acme", "4f1c", {"id": "4f1c", **raw})


def declared(*facts: Any) -> Declaration:
    found = declare(*facts)
    remove_rejected([found])
    return found


def event(content: Any, **body: Any) -> dict[str, Any]:
    message = {"type": "user_message", "content": content, "timestamp": "x", **body}
    return {"type": "userInput", "eventBody": message}


ENTITIES = st.one_of(
    st.fixed_dictionaries({"type": st.just("stack"), "name": TEXTS, "project": TEXTS}),
    st.fixed_dictionaries({"type": st.just("repository"), "name": TEXTS, "org": TEXTS}),
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "entity_diff": st.one_of(
            st.none(),
            st.fixed_dictionaries({"add": st.lists(ENTITIES, max_size=2), "remove": st.none()}),
        ),
        "commands": st.sampled_from([None, {}]),
    },
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "approvalMode": st.sampled_from(["manual", "auto", "balanced"]),
        "permissionMode": st.sampled_from(["default", "read-only"]),
        "planMode": st.booleans(),
        "source": st.sampled_from(["api", "slack"]),
        "isShared": st.booleans(),
        "role": st.sampled_from(["", "r-1"]),
    },
)
USUAL = {"permissionMode": "default", "planMode": False, "source": "api", "isShared": False}


@given(TEXTS, BODIES, SETTINGS)
def test_an_imported_task_is_loaded_unchanged(
    text: str, body: dict[str, Any], settings: dict[str, Any]
) -> None:
    found = declared(task(**settings), read_opening([event(text, **body)]))
    assert found.omissions == []
    made = insert(None, "a.yaml", [NewTask("k", "acme", found.members)])
    (desired,) = made.tasks
    message: dict[str, Any] = {"content": text}
    if (body.get("entity_diff") or {}).get("add"):
        message["entity_diff"] = {"add": body["entity_diff"]["add"]}
    expected = {n: v for n, v in settings.items() if v not in (USUAL.get(n), "")}
    assert desired.inputs == {"message": message, **expected}
    assert desired.task_id == "4f1c"


def test_inexpressible_inputs_are_listed_as_omissions() -> None:
    body = event(
        "do it", entity_diff={"add": [{"type": "stack", "name": "a", "project": "b", "x": 1}]}
    )
    found = declared(task(approvalMode="newest", role="no id", planMode=True), read_opening([body]))
    assert found.members == {
        "taskID": "4f1c",
        "message": {
            "content": "do it",
            "entity_diff": {"add": [{"type": "stack", "name": "a", "project": "b"}]},
        },
        "planMode": True,
    }
    assert [shown(told.at.path) for told in found.omissions] == [
        "message.entity_diff.add[0].x",
        "approvalMode",
        "role",
    ]
    assert {told.code for told in found.omissions} == {Code.IMPORT_LEFT_OUT}


def test_an_inexpressible_message_leaves_only_the_id() -> None:
    for text in ("x\0", "\ud800", " \n", ""):
        found = declared(task(), read_opening([event(text)]))
        assert found.members == {"taskID": "4f1c"}
        assert [(told.code, told.case) for told in found.omissions] == [
            (Code.IMPORT_LEFT_OUT, "rejected")
        ]
    unknown = [event("do it", entity_diff={"add": [{"type": "moon"}]})]
    found = declared(task(), read_opening(unknown))
    assert found.members == {"taskID": "4f1c"}


def test_the_task_takes_precedence_over_other_sources() -> None:
    more = {
        "message": "theirs",
        "planMode": True,
        "enabledIntegrations": [],
        "approvalMode": "auto",
    }
    found = declared(task(approvalMode="manual"), Opening({"content": "ours"}), more)
    assert found.members == {
        "taskID": "4f1c",
        "message": "ours",
        "approvalMode": "manual",
        "planMode": True,
        "enabledIntegrations": [],
    }
    assert declared(task(), Opening(None), more).members["message"] == "theirs"


def test_only_the_needed_events_are_read() -> None:
    read = 0

    def events() -> Any:
        nonlocal read
        for number in range(1000):
            read += 1
            yield event("do it") if number == 120 else {"type": "agentResponse"}

    assert read_opening(events()).text == "do it"
    assert read == 121


def test_the_creator_of_a_task_is_determined() -> None:
    assert task().owner(ME) == ME
    assert task(createdBy={"githubLogin": "me"}).owner(ME) == ME
    theirs = task(createdBy={"githubLogin": "them"}).owner(ME)
    assert theirs == Identity("login:them", login="them")
    assert not theirs.same_as(Identity("2", login="them"))


def test_only_the_tasks_that_a_manifest_cannot_contain_lose_something() -> None:
    texts = ("good", "x\0", "fine", " \n", "well")
    found = [declare(task(), read_opening([event(text)])) for text in texts]
    remove_rejected(found)
    assert ["message" in each.members for each in found] == [True, False, True, False, True]


def test_a_batch_is_read_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(data: bytes) -> Source:
        read.append(data)
        return read_source(data)

    monkeypatch.setattr(insertion, "read_source", counted)
    remove_rejected([declare(task(), Opening({"content": f"Do {n}."})) for n in range(100)])
    assert len(read) == 1


def test_a_reference_is_not_part_of_the_prompt() -> None:
    prompt = "Do it.\n\nKeep it short."
    reference = Reference("a", 3, "bafol-rusab-tizok")
    opening = read_opening([event(f"{prompt}\n\n{reference.line}\n")])
    assert (opening.text, opening.reference) == (prompt, reference)
    assert declared(task(), opening).members["message"] == prompt
    quoted = read_opening([event(f"{reference.line}\n\n{prompt}")])
    assert (quoted.text, quoted.reference) == (f"{reference.line}\n\n{prompt}", None)
