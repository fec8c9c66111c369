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
from reconciler.render.reports import Locate, Style
from reconciler.render.results.table import result_rows
from reconciler.render.task_view import TaskView
from reconciler.render.wait.report import WaitedReport
from reconciler.render.wait.view import WaitView

if TYPE_CHECKING:
    from reconciler.render.document import Document


class ApplyWaitView(WaitView):
    """The tasks as after a wait, and those that apply did not create."""

    command = "apply"

    def rows(self, style: Style) -> Iterable[str]:
        yield from apply_rows(self.report, style)
        if not style.quiet:
            yield ""
            yield from waited_rows(self.report, style)

    def document(self) -> Document:
        from reconciler.render.apply.document import apply_document
        from reconciler.render.wait.document import waited

        return apply_document(self.report, waited(self.report))

    def summary(self) -> str:
        return f"{apply_summary(self.report)} {super().summary()}"

    def tasks(self, locate: Locate) -> list[TaskView]:
        waited_for = {status.ref for status in self.report.statuses}
        rest = [task for task in self.report.tasks if task.ref not in waited_for]
        return [*super().tasks(locate), *(result_view(task, locate) for task in rest)]


def waited_rows(report: WaitedReport, style: Style) -> Iterator[str]:
    """The table of results, and why tasks are held: `2 held: waiting for the pilot: ...`."""
    yield from result_rows(report.statuses, style, report.read_at)
    reasons = Counter(word_remarks(task.explanation).note for task in report.held_tasks)
    for reason, number in reasons.items():
        yield f"{number} held: {safe.line(reason)}"
