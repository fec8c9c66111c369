"""Waiting until tasks are done, with what happens meanwhile; for `wait` and `apply --wait`."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.help import Run, with_options
from reconciler.cli.options.tasks import duration, interval_option
from reconciler.model.diagnostics import error
from reconciler.model.errors import RemoteError
from reconciler.render import renderer
from reconciler.render.reports import FailureReport

if TYPE_CHECKING:
    from reconciler.app.task_sessions import Watched
    from reconciler.cli.signals import Interrupts
    from reconciler.model.task import TaskRef
    from reconciler.render.wait import End, WaitedReport
    from reconciler.tasks.status import TaskStatus

ON = "\nNot waited for any more; the tasks go on. See how they stand:\n    taskctl status\n"
TIME_IS_UP = "the time is up: not all are done. See how they stand:\n    taskctl status"


@dataclass(frozen=True, slots=True)
class Wait:
    """How long at most, and how often to look."""

    timeout: timedelta
    interval: timedelta


timeout_option = click.option(
    "--timeout",
    callback=duration,
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="How long to wait at most.",
)


def wait_options(function: Run) -> Run:
    """Gives the command `wait: Wait | None`."""

    @functools.wraps(function)
    def gathered(**values: Any) -> int | None:
        wanted = values.pop("wanted")
        wait = Wait(values.pop("timeout"), values.pop("interval"))
        if not wanted:
            _refuse_alone("timeout", "interval")
        return function(wait=wait if wanted else None, **values)

    flag = click.option("--wait", "wanted", is_flag=True, help="Then wait until all are done.")
    return with_options(gathered, [flag, timeout_option, interval_option])


def _refuse_alone(*names: str) -> None:
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is of the waiting: it needs --wait")


class Waiting:
    """Waits for `refs`. Of `fresh` ones, made a moment ago, the service may know nothing yet for
    `patience` seconds."""

    def __init__(
        self,
        tasks: Watched,
        refs: Sequence[TaskRef],
        wait: Wait,
        fresh: Collection[TaskRef] = (),
        patience: float = 0,
    ) -> None:
        self._tasks = tasks
        self._out = tasks.out
        self._refs = refs
        self._wait = wait
        self._fresh = fresh
        self._begun = time.monotonic()
        self._patience = patience
        self._lost: RemoteError | None = None

    def run(self, interrupts: Interrupts) -> tuple[tuple[TaskStatus, ...], End]:
        """How the tasks stand in the end, and why it ended. RemoteError."""
        from reconciler.render.wait import End
        from reconciler.tasks.status import SETTLED

        live = _Live(self._tasks)
        found: tuple[TaskStatus, ...] | None = None
        try:
            while True:
                found = self._look() if found is None else self._again(found, live)
                live.show(found)
                if all(status.standing in SETTLED for status in found):
                    return found, End.SETTLED
                waited = time.monotonic() - self._begun
                left = self._wait.timeout.total_seconds() - waited
                if left <= 0 and self._lost is not None:
                    raise self._lost
                if left <= 0:
                    return found, End.TIMEOUT
                pause = min(left, max(0.1, self._wait.interval.total_seconds()))
                if not interrupts.wait(pause):
                    live.leave()
                    return found, End.INTERRUPTED
        finally:
            live.close()

    def _again(self, before: tuple[TaskStatus, ...], live: _Live) -> tuple[TaskStatus, ...]:
        """As they were before, where the service does not answer for a while: it is asked again."""
        from reconciler.remote.retries import RETRIED

        try:
            found = self._look()
        except RemoteError as problem:
            if problem.status is not None and problem.status not in RETRIED:
                raise
            if self._lost is None:
                live.note(f"{problem.diagnostics[0].summary}; looking again")
            self._lost = problem
            return before
        self._lost = None
        return found

    def _look(self) -> tuple[TaskStatus, ...]:
        from reconciler.tasks.status import Standing, in_order

        found = self._tasks.statuses(self._refs)
        if not self._fresh or time.monotonic() - self._begun > self._patience:
            return found
        return in_order(
            replace(status, standing=Standing.RUNNING)
            if status.standing is Standing.GONE and status.ref in self._fresh
            else status
            for status in found
        )


class _Live:
    """What happens, to stderr: a line for each change; on a terminal the table below them."""

    def __init__(self, tasks: Watched) -> None:
        from reconciler.cli.console.live import Screen

        self._tasks = tasks
        self._out = out = tasks.out
        self._before: dict[TaskRef, str] = {}
        as_text = out.common.format == "text" and not out.common.quiet
        on_terminal = as_text and out.is_terminal(sys.stderr)
        self._screen = Screen(sys.stderr, in_place=True) if on_terminal else None

    def show(self, found: Sequence[TaskStatus]) -> None:
        changed = [one for one in found if self._before.get(one.ref) != one.standing.value]
        self._before = {one.ref: one.standing.value for one in found}
        if changed and self._screen is not None:
            self._screen.clear()
        for status in changed:
            self._out.note(_line(status))
        if self._screen is not None:
            from reconciler.app.context import utcnow
            from reconciler.render.status import status_rows

            now = self._tasks.client.service_clock() or utcnow()
            room = self._screen.lines
            style = self._out.style(sys.stderr)
            rows = status_rows(found, style, now, room=room and room - 1)
            self._screen.show(["", *rows])

    def note(self, text: str) -> None:
        if self._screen is not None:
            self._screen.clear()
        self._out.note(text)

    def leave(self) -> None:
        """What was said on a signal stands below the rows: they are not to be found from there."""
        self._screen = None

    def close(self) -> None:
        if self._screen is not None:
            self._screen.clear()


def _line(status: TaskStatus) -> str:
    """What became of a task, and what a person can do about it."""
    from reconciler.tasks.status import Standing

    text = f"{status.ref}: {status.standing.value}"
    if status.course.words and status.standing is Standing.FAILED:
        text += f" ({status.course.words})"
    if status.approvals:
        text += f"; answer it with `taskctl approve {status.ref}` or `taskctl reject {status.ref}`"
    return text.replace("\n", " ")


def farewell(out: Output) -> str:
    """The result where a second signal leaves no time for one: a program gets its document."""
    if out.common.format == "text":
        return ""
    left = FailureReport((error("not waited for any more; the tasks go on"),))
    return renderer(out.common.format).render(left, out.style_of_result())


def tell(out: Output, report: WaitedReport) -> None:
    """The result: as text the table alone, since all before it was told."""
    from reconciler.render.status import status_table
    from reconciler.render.wait import End

    if out.common.format != "text":
        out.report(report)
        return
    if report.end is End.TIMEOUT:
        out.note(TIME_IS_UP)
    out.kept = out.masked(report)
    if not out.common.quiet:
        style, fold = out.style_of_result(), out.is_terminal(sys.stdout)
        out.document(status_table(report.statuses, style, report.read_at, fold=fold))
