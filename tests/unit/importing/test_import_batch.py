"""What an import is going to write, and what it says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.importing.batch import Batch, Candidate, claims
from reconciler.importing.declaration import Opening
from reconciler.importing.keys import Keys
from reconciler.importing.report import ImportReport, ImportResult
from reconciler.manifest.insertion import added
from reconciler.model.codes import Code
from reconciler.model.task import DesiredTask, Identity, RemoteTask, TaskRef
from reconciler.render.import_report import import_document, import_text
from reconciler.render.json import dump
from reconciler.render.reports import Style
from tests.support.escaping import commands_in, unseen_in

ME = Identity("1", login="me")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOSTILE = "\x1b[31m\u202e\n::error::x\n##[group]"


def task(task_id: str, **raw: Any) -> RemoteTask:
    return RemoteTask("acme", task_id, {"id": task_id, **raw})


def taken(*pairs: tuple[RemoteTask, Opening], hides: bool = False) -> Batch:
    batch = Batch(Keys({"a"}), hides)
    for remote, opening in pairs:
        batch.take(Candidate(remote), opening)
    return batch


def says(text: str) -> Opening:
    return Opening({"type": "user_message", "content": text})


def test_what_is_written_is_recorded() -> None:
    batch = taken((task("1", name="A"), says("do it")), (task("2", name=HOSTILE), says("x\ny")))
    batch.written(added(None, "t.yaml", batch.new).tasks)
    first, second = batch.records(ME, NOW)
    assert (first.ref, first.task_id, first.file) == (TaskRef("acme", "a-2"), "1", "t.yaml")
    assert first.inputs == {"name": "A", "message": {"content": "do it"}}
    assert (first.identity, first.created_at, first.marks, first.pending) == (ME, NOW, (), {})
    assert second.inputs["name"] == HOSTILE.strip()
    assert [told.result for told in batch.told] == [ImportResult.IMPORTED, ImportResult.IMPORTED]


def test_an_id_that_no_manifest_can_hold_is_an_error_and_steers_nothing() -> None:
    batch = taken((task(HOSTILE, name=HOSTILE), says(HOSTILE)), (task("1"), says("do it")))
    assert [new.members["taskID"] for new in batch.new] == ["1"]
    assert [problem.code for problem in batch.diagnostics] == [Code.IMPORT_ID]
    report = ImportReport(HOSTILE, tuple(batch.told), tuple(batch.diagnostics))
    for text in (import_text(report, Style()), dump(import_document(report))):
        assert not unseen_in(text) - {"\n"}
        assert not commands_in(text)


def test_no_key_tells_of_a_prompt_that_is_to_be_hidden() -> None:
    batch = taken((task("4f1c", name="the secret"), says("the secret")), hides=True)
    assert batch.new[0].key == "task-4f1c"


def wanting(key: str, text: str, **inputs: Any) -> DesiredTask:
    made = {"message": {"content": text}, **inputs}
    return DesiredTask(key, "acme", made, "t.yaml", 1, 1)


def test_the_newest_task_that_a_plan_would_adopt_is_a_key_s() -> None:
    read = [(task("old"), says("do it")), (task("new"), says("do it\n")), (task("x"), says("y"))]
    waiting = [wanting("k", "do it"), wanting("plan", "y", planMode=True)]
    assert {i: d.key for i, d in claims(read, waiting, ME).items()} == {"new": "k"}
    theirs = [(task("old", createdBy={"githubLogin": "them"}), says("do it"))]
    assert not claims(theirs, waiting, ME)
    assert not claims([(task("old"), Opening(None))], [wanting("k", "do it")], ME)
