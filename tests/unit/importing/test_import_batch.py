"""The output and the report of an import."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.importing.batch import Batch, Candidate, Keys, slug
from reconciler.importing.declaration import Opening
from reconciler.importing.report import ImportReport, ImportResult, SkipReason
from reconciler.manifest.insertion import insert
from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.codes import Code
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.shell import MAX_KEY
from reconciler.model.task import TaskRef
from reconciler.render.document import dump
from reconciler.render.import_ import import_document, import_text
from reconciler.render.style import Style
from tests.support.escaping import commands_in, invisible_in

ME = Identity("1", login="me")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOSTILE = "\x1b[31m\u202e\n::error::x\n##[group]"


def task(task_id: str, **raw: Any) -> RemoteTask:
    return RemoteTask("acme", task_id, {"id": task_id, **raw})


def taken(*pairs: tuple[RemoteTask, Opening]) -> Batch:
    batch = Batch(Keys({"a"}))
    batch.add([(Candidate(remote), opening) for remote, opening in pairs])
    return batch


def says(text: str) -> Opening:
    return Opening({"type": "user_message", "content": text})


def test_written_tasks_are_recorded() -> None:
    batch = taken((task("1", name="A"), says("do it")), (task("2", name=HOSTILE), says("x\ny")))
    batch.add_written(insert(None, "t.yaml", batch.new).tasks)
    first, second = batch.records(ME, NOW)
    assert (first.ref, first.task_id, first.file) == (TaskRef("acme", "a-2"), "1", "t.yaml")
    assert first.inputs == {"name": "A", "message": {"content": "do it"}}
    assert (first.identity, first.created_at, first.references, first.pending) == (ME, NOW, (), {})
    assert second.inputs["name"] == HOSTILE.strip()
    assert [told.result for told in batch.tasks] == [ImportResult.IMPORTED, ImportResult.IMPORTED]


def test_an_id_that_a_manifest_cannot_contain_is_an_inert_error() -> None:
    batch = taken((task(HOSTILE, name=HOSTILE), says(HOSTILE)), (task("1"), says("do it")))
    assert [new.members["taskID"] for new in batch.new] == ["1"]
    assert [problem.code for problem in batch.diagnostics] == [Code.IMPORT_ID]
    report = ImportReport(HOSTILE, tuple(batch.tasks), tuple(batch.diagnostics))
    for text in (import_text(report, Style()), dump(import_document(report, AS_WRITTEN))):
        assert not invisible_in(text) - {"\n"}
        assert not commands_in(text)


def test_skipped_tasks_say_why() -> None:
    batch = Batch(Keys(()))
    for why in SkipReason:
        batch.skip(why.value, "acme", why, f"t-{why}")
    report = ImportReport("t.yaml", tuple(batch.tasks))
    document = dump(import_document(report, AS_WRITTEN))
    assert report.count(ImportResult.SKIPPED) == len(SkipReason)
    lines = import_text(report, Style()).splitlines()
    told = {line.partition(f"t-{why}")[2] for line, why in zip(lines, SkipReason, strict=False)}
    assert len(told - {""}) == len(SkipReason)
    assert all(f'"{why}"' in document for why in SkipReason)


KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@given(st.lists(st.text(max_size=200), max_size=8), st.sets(st.text("ab-2", max_size=4)))
def test_every_key_is_valid_and_unique(texts: list[str], taken: set[str]) -> None:
    keys = Keys(taken)
    made = [keys.of(text) for text in texts] + [keys.free("a"), keys.free("a" * MAX_KEY)]
    assert all(KEY.fullmatch(key) for key in made)
    assert len({*made, *taken}) == len(made) + len(taken)


@given(st.text(max_size=200))
def test_a_valid_key_is_unchanged(text: str) -> None:
    made = slug(text)
    assert slug(made) == made


def test_keys_are_readable() -> None:
    assert slug("Rotate IAM keys!") == "rotate-iam-keys"
    assert slug("Größe (v1.2_beta)…") == "groe-v1.2_beta" or slug("Größe") == "groe"
    assert slug("日本") == ""
    assert slug("Finishing: rotate every key. -uni") == "finishing-rotate-every-key-uni"
    assert Keys(()).of("日本", "", "task-4f1c") == "task-4f1c"
    assert Keys(()).of("日本") == "task"
    long = Keys(()).of("Look at every stack of the organization that had no update for long")
    assert long == "look-at-every-stack-of-the-organization-that-had"
    keys = Keys({"a", "a-2"})
    assert [keys.free("a"), keys.free("a")] == ["a-3", "a-4"]
    assert keys.free("b" * MAX_KEY) == "b" * MAX_KEY
    assert keys.free("b" * MAX_KEY) == "b" * 126 + "-2"


def test_a_name_of_a_megabyte_is_made_a_key_in_linear_time() -> None:
    assert slug("a" + "_" * 1_000_000 + "b") == "a"
    assert slug("a" + "_-." * 1_000_000 + "b") == "a-b"
