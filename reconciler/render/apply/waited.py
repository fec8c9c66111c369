"""The result of `apply --wait` for all formats: what apply did, and the wait after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reconciler.messages.remarks import word_remarks
from reconciler.render import safe
from reconciler.render.apply.summary import apply_summary
from reconciler.render.apply.text import apply_rows
from reconciler.render.apply.view import result_view
from reconciler.render.results.table import result_rows
from reconciler.render.results.view import StatusesView
from reconciler.render.status.table import status_summary
from reconciler.render.style import Locate, Style
from reconciler.render.task_view import TaskView

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.render.document import Document


class ApplyWaitView(StatusesView):
    """The tasks as after a wait, and those that apply did not create."""

    command = "apply"

    def __init__(self, report: ApplyWaitReport) -> None:
        super().__init__(report.statuses, report.diagnostics)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        yield from apply_rows(self.report, style)
        if not style.quiet:
            yield ""
            yield from waited_rows(self.report, style)

    def document(self) -> Document:
        from reconciler.render.apply.document import apply_wait_document

        return apply_wait_document(self.report)

    def summary(self) -> str:
        waited = status_summary(self.statuses).removesuffix(".")
        return f"{apply_summary(self.report)} Wait: {waited}"

    def tasks(self, locate: Locate) -> list[TaskView]:
        waited_for = {status.ref for status in self.statuses}
        rest = [task for task in self.report.tasks if task.ref not in waited_for]
        return [*super().tasks(locate), *(result_view(task, locate) for task in rest)]


def waited_rows(report: ApplyWaitReport, style: Style) -> Iterator[str]:
    """The table of results, and why tasks are held: `2 held: waiting for the pilot: ...`."""
    yield from result_rows(report.statuses, style, report.read_at)
    reasons = Counter(word_remarks(task.explanation).note for task in report.held_tasks)
    for reason, number in reasons.items():
        yield f"{number} held: {safe.line(reason)}"
