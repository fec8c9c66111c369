"""The result of each task, for `results` and `wait`. The table is also the output of
`apply --wait`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from reconciler.app.results import ResultsReport
from reconciler.app.wait import WaitReport
from reconciler.messages import word
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import phrase
from reconciler.messages.template import Hint, Words
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.shell import shell_word
from reconciler.model.task import instant, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.render import cells, safe
from reconciler.render.document import FORMAT_VERSION, Document, diagnostic_items, json_document
from reconciler.render.status import (
    address_rows,
    reason_rows,
    request_line,
    request_rows,
    status_counts,
    status_summary,
    statuses_part,
)
from reconciler.render.style import Style
from reconciler.render.task_view import TaskView, merged, view_of_task
from reconciler.render.values import hint_rows
from reconciler.render.view import ReportView
from reconciler.tasks.results import ListedPullRequest, OtherTask, first_line, result_of
from reconciler.tasks.status import TaskStatus, by_state, count_in, open_requests

_LEVELS = {0: None, 1: Severity.ERROR, 2: Severity.WARNING, 3: Severity.WARNING}
"""The level of a status, by its exit code."""


class StatusesView(ReportView):
    """Tasks and their statuses."""

    def __init__(
        self, statuses: Sequence[TaskStatus], diagnostics: Sequence[Diagnostic], read_at: datetime
    ) -> None:
        self.statuses, self.diagnostics, self._read_at = statuses, diagnostics, read_at

    def tasks(self, style: Style) -> list[TaskView]:
        return [_status_view(status, style, self._read_at) for status in self.statuses]

    def items(self, shown: Sequence[TaskView]) -> Sequence[TaskView]:
        """The tasks in the order of `status`: tasks that need attention first."""
        order = {status.ref: place for place, status in enumerate(by_state(self.statuses))}
        return sorted(shown, key=lambda task: order.get(task.ref, -1))


class ResultsView(StatusesView):
    command = "results"

    def __init__(self, report: ResultsReport) -> None:
        super().__init__(report.statuses, report.diagnostics, report.read_at)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        report = self.report
        return result_rows(
            self.statuses, style, report.read_at, missing=report.missing, retry=report.retry
        )

    def document(self, commands: Commands) -> Document:
        return json_document(
            self.diagnostics,
            commands,
            readAt=rfc3339(self.report.read_at),
            summary=status_counts(self.statuses),
            notCreated=self.report.missing,
            tasks=[_result(status, commands) for status in self.statuses],
        )

    def table(self) -> Iterable[Sequence[object]]:
        """A row per task, including former tasks of the keys."""
        rows = [*map(_csv_row, self.statuses), *map(_csv_row_of_other, self.report.others)]
        return [_CSV_COLUMNS, *([row.get(name, "") for name in _CSV_COLUMNS] for row in rows)]

    def summary(self) -> str:
        counted = f"Results: {status_summary(self.statuses)}".removesuffix(".")
        missing = self.report.missing
        return f"{counted}, {missing:,} not created yet" if missing else counted


class WaitView(StatusesView):
    command = "wait"

    def __init__(self, report: WaitReport) -> None:
        super().__init__(report.statuses, report.diagnostics, report.read_at)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return result_rows(self.statuses, style, self.report.read_at)

    def document(self, commands: Commands) -> Document:
        return {
            "formatVersion": FORMAT_VERSION,
            "end": self.report.end.value,
            "diagnostics": diagnostic_items(self.diagnostics, commands),
            **statuses_part(self.statuses, self.report.read_at, commands),
        }

    def summary(self) -> str:
        return f"Wait: {status_summary(self.statuses)}".removesuffix(".")


def _status_view(status: TaskStatus, style: Style, now: datetime) -> TaskView:
    """A task that was waited for."""
    traits = status.state.traits
    level = _LEVELS[traits.exit_code]
    requests = open_requests(status)
    commands = [style.commands.completed(request.command_line) for request in requests]
    hints = tuple(Hint("", tuple(lines.split("\n"))) for lines in commands[:1] if lines)
    result, reasons = result_of(status), [word(reason, style.commands) for reason in status.unmet]
    repairs = (Hint(why.detail, tuple(why.command.split("\n"))) for why in reasons if why.command)
    hints = (*hints, *dict.fromkeys(repairs))
    asks = [request_line(request, now, message=False) for request in requests]
    whys = [*(reason.summary for reason in reasons), *filter(None, [result.error]), *asks]
    why, question = "\n".join(whys), "\n\n".join(request.message for request in requests)
    view = view_of_task(status, status.state, traits.sign, level, Words(why, hints), style.locate)
    broken = level is Severity.ERROR and status.state is not TaskState.UNMET
    view = replace(view, pull_requests=result.pull_requests, answer=result.answer)
    return replace(view, question=question, is_broken=broken, quotes_agent=bool(result.error))


_HEADER = ("KEY", "STATUS", "PULL REQUESTS", "ANSWER")
_MIN_ANSWER = 24  # minimum columns of an answer


def result_rows(
    statuses: Sequence[TaskStatus],
    style: Style,
    now: datetime,
    *,
    missing: int | None = None,
    retry: Sequence[str] = (),
) -> list[str]:
    """A row per task in the given order, and below it remarks and hints; with `verbose`, also its
    address and the whole answer. Then the command that retries the tasks named in `retry`. The last
    row counts the tasks, and the `missing` tasks, which are not created yet."""
    end = f" {missing:,} not created yet." if missing else ""
    if not statuses:
        return [f"No tasks are recorded.{end}"]
    palette, several = style.palette, len({status.ref.org_name for status in statuses}) > 1
    table = [_row(status, style, with_org=several) for status in statuses]
    head, *shown = _fitted([_HEADER, *table], style)
    rows = [palette.bold(head)]
    for status, row in zip(statuses, shown, strict=True):
        rows.append(row)
        rows += [palette.dim(f"  {line}") for line in address_rows(status, style)]
        rows += [palette.dim(f"  {line}".rstrip()) for line in _answer_rows(status, style)]
        rows += [f"  {line}" for line in reason_rows(status, style)]
        rows += [palette.yellow(f"  {line}") for line in request_rows(status, style, now)]
    rows += _retry_rows(retry, style)
    return [*rows, "", *cells.wrap_words(status_summary(statuses) + end, style.width)]


def _retry_rows(names: Sequence[str], style: Style) -> Iterator[str]:
    """The command that retries failed tasks."""
    if names:
        options = " ".join(f"--retry {shell_word(name)}" for name in names)
        commands = style.commands.block(f"taskctl apply {options}")
        yield from hint_rows([Hint(phrase("retry.failed"), commands)], style)


def _row(status: TaskStatus, style: Style, *, with_org: bool) -> tuple[str, ...]:
    result = result_of(status)
    key = safe.line(str(status.ref) if with_org else status.ref.key)
    label = safe.line(status.state.label)
    return (
        style.link(key, status.url),
        style.palette.paint(status.state.traits.color)(label),
        ", ".join(
            f"{style.link(safe.line(each.text), each.url)}{merged(each)}"
            for each in result.pull_requests
        ),
        "" if style.verbose else safe.line(first_line(result.answer)),
    )


def _fitted(table: list[tuple[str, ...]], style: Style) -> list[str]:
    """The rows without empty columns, with answers cut; on a narrow terminal, without answers."""
    widths, answers = cells.widths_of(table), 3
    kept = [0, 1, *(column for column in (2, answers) if any(row[column] for row in table[1:]))]
    left = style.width - sum(widths[c] + len(cells.GAP) for c in kept if c != answers)
    least = min(widths[answers], _MIN_ANSWER)
    if style.terminal and left < least:
        kept = [column for column in kept if column != answers]
    rows = [(*row[:answers], cells.shorten(row[answers], max(left, least))) for row in table]
    return cells.table_rows([[row[column] for column in kept] for row in rows])


def _answer_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    if style.verbose and (answer := result_of(status).answer):
        for line in safe.block(answer.strip("\n")).split("\n"):
            yield from cells.wrap(line, max(20, style.width - 2))


def _result(status: TaskStatus, commands: Commands) -> Document:
    result = result_of(status)
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "status": status.state.value,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        "answer": result.answer,
        **({"data": result.data} if result.data is not ABSENT else {}),
        "pullRequests": pull_request_items(result.pull_requests),
        "error": result.error,
        "unmet": diagnostic_items(status.unmet, commands),
    }


def pull_request_items(requests: Iterable[ListedPullRequest]) -> list[Document]:
    return [
        {
            "number": request.number,
            "merged": request.is_merged,
            "repo": dict(request.repo),
            "url": request.url,
        }
        for request in requests
    ]


_CSV_COLUMNS = (
    *("orgName", "key", "status", "pullRequests", "answer", "data", "error", "unmet"),
    *("tokens", "createdAt", "taskId", "url", "file"),
)


def _csv_row(status: TaskStatus) -> dict[str, object]:
    result = result_of(status)
    return {
        "orgName": status.ref.org_name,
        "key": status.ref.key,
        "status": status.state.value,
        "pullRequests": _addresses(result.pull_requests),
        "answer": result.answer,
        "data": "" if result.data is ABSENT else json.dumps(result.data, ensure_ascii=False),
        "error": " ".join(result.error.split()),
        "unmet": "; ".join(word(reason).summary for reason in status.unmet),
        **_usage(status.raw),
        "taskId": status.task_id or "",
        "url": status.url or "",
        "file": status.file,
    }


def _csv_row_of_other(other: OtherTask) -> dict[str, object]:
    return {
        "orgName": other.ref.org_name,
        "key": other.ref.key,
        "status": other.state.value,
        **_usage(other.outputs),
        "taskId": other.task_id,
        "file": other.file,
    }


def _usage(outputs: Mapping[str, object]) -> dict[str, object]:
    tokens, created = count_in(outputs, "tokensUsed"), instant(outputs.get("createdAt"))
    return {
        "tokens": "" if tokens is None else tokens,
        "createdAt": "" if created is None else rfc3339(created),
    }


def _addresses(requests: Iterable[ListedPullRequest]) -> str:
    """The addresses of pull requests, or the name of a pull request without an address."""
    return ", ".join(f"{each.url or each.text}{merged(each)}" for each in requests)
