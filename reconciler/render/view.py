"""The interface between formats and reports. The view of each kind of report is in its module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import DesiredTask
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.render.document import Document
    from reconciler.render.plan.items import EntryView
    from reconciler.render.task_view import TaskView


class ReportView:
    """A report for all formats. `command` is the command that made it, empty if it failed early;
    titles show `target` after it."""

    command: str
    target = ""
    diagnostics: Sequence[Diagnostic]

    # Used in all reports.

    def rows(self, style: Style) -> Iterable[str]:
        """The text, without diagnostics."""
        raise NotImplementedError

    def document(self, commands: Commands) -> Document:
        """The JSON document."""
        raise NotImplementedError

    def table(self) -> Iterable[Sequence[object]]:
        """The rows for CSV; the first has the column names."""
        raise NotImplementedError

    # Only used in reports about tasks.

    def summary(self) -> str:
        """The last line of the text, without its period."""
        raise NotImplementedError

    def tasks(self, style: Style) -> list[TaskView]:
        """The tasks, in the order of the report."""
        del style
        return []

    def items(self, shown: Sequence[TaskView]) -> Sequence[TaskView | EntryView]:
        """The tasks, with the tasks of an entry as one item."""
        return shown

    def checked(self) -> Sequence[DesiredTask]:
        """For JUnit: the tasks that were only validated. `files` has the names of all manifests."""
        return ()

    files: Sequence[str] = ()

    def markdown_head(self, shown: Sequence[TaskView]) -> Iterator[str]:
        """The heading and the first paragraphs."""
        del shown
        yield f"### {self.summary()}"

    def page_head(self) -> tuple[str, list[str]]:
        """As HTML: the text after the command in the page's first line, and further paragraphs."""
        return "", []
