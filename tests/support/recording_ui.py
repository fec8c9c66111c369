"""A user interface for use cases, without click and without a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.app.context import Context
from reconciler.app.settings import Connection, Settings
from reconciler.app.ui import ApplyProgress
from reconciler.model.diagnostics import Diagnostic
from reconciler.plan.plan import Plan
from reconciler.render import Report
from reconciler.system.clock import Stop
from reconciler.tasks.status import TaskStatus


class Quiet(ApplyProgress):
    """Progress and watch that do nothing."""

    def show(self, *_given: Any) -> None: ...


@dataclass
class RecordingUi:
    """A `Ui` that records notes and reports, and answers every question with `answer`; None means
    that there is no terminal."""

    answer: bool | None = None
    notes: list[str] = field(default_factory=list)
    shown: list[Report] = field(default_factory=list)

    @property
    def interactive(self) -> bool:
        return self.answer is not None

    def note(self, note: str, **_facts: Any) -> None:
        self.notes.append(note)

    def detail(self, note: str, **_facts: Any) -> None: ...

    def diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None: ...

    def show(self, report: Report) -> None:
        self.shown.append(report)

    def confirm(self, plan: Plan) -> bool:
        return self.ask("confirm", strict=any(task.creates for task in plan.tasks))

    def confirm_adoption(self, plan: Plan) -> bool:
        return self.ask("confirm_adoption", strict=bool(plan.tasks))

    def show_approval(self, *_given: Any) -> None: ...

    def read_line(self, question: str, **_facts: Any) -> str | None:
        self.notes.append(question)
        return None

    def ask(self, question: str, *, strict: bool, **_facts: Any) -> bool:
        del strict
        self.notes.append(question)
        return bool(self.answer)

    def protect(self, keys: Collection[str]) -> None: ...

    def progress(self, _plan: Plan) -> Quiet:
        return Quiet()

    def watch(self, known: Sequence[TaskStatus] = ()) -> Quiet:
        del known
        return Quiet()

    def interruptible(self, note: str, last: Report | None = None) -> AbstractContextManager[Stop]:
        del note, last
        return nullcontext(Stop())


def context(folder: Path, ui: RecordingUi, backend: str = "local") -> Context:
    return Context(ui, Settings(folder), Connection(backend=backend))
