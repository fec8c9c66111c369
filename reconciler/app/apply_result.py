"""The end of `taskctl apply`: its report, and with `--wait` how its tasks went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.app.context import Workspace, utcnow
from reconciler.app.task_sessions import watching
from reconciler.app.wait import ON, Wait, Waiting, tell
from reconciler.apply.report import ApplyReport
from reconciler.cli.console.output import Output
from reconciler.cli.signals import Interrupts
from reconciler.model.errors import TaskctlError
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Plan
from reconciler.render import renderer
from reconciler.render.wait import waited_after
from reconciler.state.model import State


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply came to. `report` is None where it was not agreed to. `refs` are the tasks of
    the manifests that it was about, those that there was nothing to do for too."""

    code: int
    report: ApplyReport | None = None
    refs: tuple[TaskRef, ...] = ()


def applied(plan: Plan, report: ApplyReport, signal: int | None) -> Applied:
    refs = tuple(task.ref for task in plan.tasks if task.desired is not None)
    return Applied(int(report.failed()) if signal is None else signal, report, refs)


def finish(space: Workspace, ended: Applied, state: State, wait: Wait | None) -> int:
    """Tells what was done, waits where that went well, and gives the exit code. TaskctlError."""
    out, report = space.out, ended.report
    if report is None:
        return ended.code
    if wait is None or ended.code:
        out.report(report, space.manifests.text_of)
        if wait is not None:
            out.note("Not waited for the tasks, since not all is as it should be.")
        return ended.code
    as_text = out.common.format == "text"
    if as_text:
        out.report(report, space.manifests.text_of)
    out.source = out.source or space.manifests.text_of
    words = "" if out.common.quiet else ON
    with Interrupts(words, "" if as_text else _rendered(out, report)) as interrupts:
        try:
            code = _waited(space, ended.refs, report, state, wait, interrupts)
        except TaskctlError as problem:
            if as_text:
                raise
            told = (*report.diagnostics, *problem.diagnostics)
            out.report(replace(report, diagnostics=told))
            return 1
    return code if interrupts.exit_code is None else interrupts.exit_code


def _waited(
    space: Workspace,
    refs: Sequence[TaskRef],
    report: ApplyReport,
    state: State,
    wait: Wait,
    interrupts: Interrupts,
) -> int:
    tasks = watching(space.out, state, space.client, space.backend, space.connection.parallelism)
    fresh = {task.ref for task in report.tasks}
    patience = space.options.settle_time.total_seconds()
    statuses, end = Waiting(tasks, refs, wait, fresh, patience).run(interrupts)
    whole = waited_after(report, statuses, end, space.client.service_clock() or utcnow())
    tell(space.out, whole)
    return whole.code


def _rendered(out: Output, report: ApplyReport) -> str:
    return renderer(out.common.format).render(out.masked(report), out.style_of_result())
