"""The result of an apply for all formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.model.diagnostics import Severity
from reconciler.model.value import replace
from reconciler.render.apply.summary import apply_summary
from reconciler.render.apply.text import apply_rows
from reconciler.render.style import Locate, Style
from reconciler.render.task_view import LABELS, TaskView, view_of_task
from reconciler.render.view import Count, ReportView

if TYPE_CHECKING:
    from reconciler.render.document import Document

_RESULTS: dict[Result, tuple[str, Severity | None]] = {
    Result.CREATED: ("+", None),
    Result.REPLACED: ("-/+", None),
    Result.ADOPTED: (">", None),
    Result.MOVED: (">", None),
    Result.FORGOTTEN: ("-", None),
    Result.CANCELLED: ("-", None),
    Result.UPDATED: ("~", None),
    Result.FAILED: ("x", Severity.ERROR),
    Result.UNRESOLVED: ("?", Severity.ERROR),
    Result.NOT_STARTED: ("-", Severity.WARNING),
}


class ApplyView(ReportView):
    command = "apply"

    def __init__(self, report: ApplyReport) -> None:
        self.report = report
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        return apply_rows(self.report, style)

    def document(self) -> Document:
        from reconciler.render.apply.document import apply_document

        return apply_document(self.report)

    def summary(self) -> str:
        return apply_summary(self.report).removesuffix(".")

    def headline(self) -> str:
        return ", ".join(f"{c.number:,} {c.done}" for c in self.counts()) or "No changes"

    def counts(self) -> Iterable[Count]:
        for word, number in self.report.summary().items():
            if number:
                label = LABELS.get(word, word)
                yield Count(word, label, number, label)

    def tasks(self, locate: Locate) -> list[TaskView]:
        return [result_view(task, locate) for task in self.report.tasks]


def result_view(task: TaskResult, locate: Locate) -> TaskView:
    sign, level = _RESULTS[task.result]
    words = word_remarks(task.problems)
    return replace(view_of_task(task, task.result, sign, level, words, locate), line=task.line)
