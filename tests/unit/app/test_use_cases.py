"""Use cases without click and without a terminal: plain values in, reports out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.apply import ApplyRequest, apply
from reconciler.app.context import Connection, Context, Settings
from reconciler.app.plan import plan
from reconciler.app.state_edits import read_tasks, remove_records
from reconciler.app.status import StatusRequest, status
from reconciler.app.ui import Source
from reconciler.app.validate import validate
from reconciler.messages.notes import Note, Question
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.render.reports import Report
from reconciler.render.secrets import Secrets

MANIFEST = {"version": 1, "orgName": "acme", "tasks": {"one": {"message": "do it"}}}


class Quiet:
    """A progress, a watch and a stop that do nothing."""

    exit_code = None

    def started(self, *_given: Any) -> None: ...

    def show(self, *_given: Any) -> None: ...

    def note(self, *_given: Any, **_facts: Any) -> None: ...

    ended = waiting = held = started

    def close(self) -> None: ...

    leave = close

    def wait(self, _seconds: float) -> bool:
        return True


@dataclass
class RecordingUi:
    """Answers every question with `answer`, and keeps what it was told."""

    answer: bool | None = None
    notes: list[Note | Question] = field(default_factory=list)
    shown: list[Report] = field(default_factory=list)

    @property
    def interactive(self) -> bool:
        return self.answer is not None

    def note(self, note: Note, **_facts: Any) -> None:
        self.notes.append(note)

    def detail(self, note: Note, **_facts: Any) -> None: ...

    def diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None: ...

    def show(self, report: Report) -> None:
        self.shown.append(report)

    def show_approval(self, *_given: Any) -> None: ...

    show_request = show_approval

    def read_line(self, question: Question, **_facts: Any) -> str | None:
        self.notes.append(question)
        return None

    def ask(self, question: Question, *, strict: bool, **_facts: Any) -> bool:
        del strict
        self.notes.append(question)
        return bool(self.answer)

    def protect(self, secrets: Secrets) -> None: ...

    def conceal(self, text: str) -> str:
        return text

    def show_sources(self, source: Source) -> None: ...

    def progress(self, _total: int) -> Quiet:
        return Quiet()

    def watch(self) -> Quiet:
        return Quiet()

    def interruptible(
        self, note: Note, last: Report | None = None
    ) -> AbstractContextManager[Quiet]:
        del note, last
        return nullcontext(Quiet())


def context(folder: Path, ui: RecordingUi) -> Context:
    return Context(ui, Settings(folder), Connection(backend="local"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/all.yaml").write_text(json.dumps(MANIFEST))
    return tmp_path


def test_a_task_from_manifest_to_state(folder: Path) -> None:
    ui = RecordingUi(answer=True)
    with context(folder, ui) as ctx:
        assert validate(ctx, ()).tasks == 1
        made = plan(ctx, (), PlanOptions())
        assert [task.ref.key for task in made.tasks if task.creates] == ["one"]
        applied = apply(ctx, ApplyRequest())
        assert (applied.code, applied.report.summary()["created"]) == (0, 1)
        assert Question.CREATE in ui.notes
        (report,) = status(ctx, StatusRequest(("o*",)))
        assert [one.ref.key for one in report.statuses] == ["one"]
        assert [one.changed for one in remove_records(ctx, ["one"], yes=False)] == [True]
        assert read_tasks(ctx)[1] == ()


def test_a_declined_apply_creates_nothing(folder: Path) -> None:
    with context(folder, RecordingUi(answer=False)) as ctx:
        applied = apply(ctx, ApplyRequest())
        assert (applied.code, applied.plan) == (1, None)
        assert [each.code for each in applied.report.diagnostics] == [Code.DECLINED]
        assert read_tasks(ctx)[1] == ()


def test_without_a_person_to_ask_yes_is_required(folder: Path) -> None:
    with context(folder, RecordingUi()) as ctx:
        with pytest.raises(TaskctlError) as caught:
            apply(ctx, ApplyRequest())
        assert [each.code for each in caught.value.diagnostics] == [Code.CONFIRMATION_REQUIRED]
        assert apply(ctx, ApplyRequest(yes=True)).code == 0
