"""`taskctl show KEY`: the sides of one task, put together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.app.context import find_backend, find_state, utcnow
from reconciler.app.task_sessions import Watched, watched
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection
from reconciler.model.diagnostics import Diagnostic, has_errors
from reconciler.model.task import DesiredTask, RemoteTask
from reconciler.state.edit import find

if TYPE_CHECKING:
    from reconciler.render.task import TaskReport
    from reconciler.state.model import Record


def has_tasks(connection: Connection, out: Output) -> bool:
    """Whether the state knows any task, so that a word can be the key of one. TaskctlError."""
    from reconciler.state.session import read_state

    backend = find_backend(connection, out)
    state = read_state(find_state(connection, backend, out), backend=backend.name)
    return bool(state.records or state.attempts)


def show_task(key: str, connection: Connection, out: Output) -> int:
    """Shows the task of a key. TaskctlError where none is known or the service cannot be read."""
    from reconciler.render.json import dump
    from reconciler.render.task import report_document, report_text

    with watched(connection, out) as tasks:
        report = _report(tasks, key)
        now = tasks.client.service_clock() or utcnow()
    if out.common.format == "json":
        out.document(dump(report_document(report, now)))
    else:
        out.diagnostics(report.diagnostics)
        out.document(report_text(report, out.style_of_result(), now))
    return 0


def _report(tasks: Watched, key: str) -> TaskReport:
    from reconciler.plan.diff import changes
    from reconciler.render.masking import masked_state
    from reconciler.render.task import TaskReport

    ref = find(tasks.state, key)
    state = masked_state(tasks.state)
    status = tasks.statuses([ref])[0]
    record = state.records.get(ref)
    if record is None:
        return TaskReport(ref, state, status, None, ())
    desired, problems = _desired(tasks.out, record)
    remote = RemoteTask(ref.org_name, record.task_id, status.raw) if status.raw else None
    diff = changes(record.inputs, desired.inputs, remote) if desired is not None else ()
    return TaskReport(ref, state, status, desired, diff, problems)


def _desired(out: Output, record: Record) -> tuple[DesiredTask | None, tuple[Diagnostic, ...]]:
    """What the recorded manifest wants now, as it may be shown, and what is wrong there."""
    from reconciler.manifest import load
    from reconciler.render.masking import masked, secrets_in
    from reconciler.render.reports import ValidateReport

    if not out.common.path(record.file).is_file():
        return None, ()
    manifests = load([record.file], root=out.common.root)
    if has_errors(manifests.diagnostics):
        out.source = manifests.text_of
        return None, manifests.diagnostics
    ref = record.ref
    for task in manifests.tasks:
        if task.key == ref.key and task.org_name in (None, ref.org_name):
            listed = replace(task, sensitive=task.sensitive or record.sensitive)
            secrets = secrets_in([listed])
            out.protect(secrets)
            shown = masked(ValidateReport(1, 1, listed=(listed,)), secrets)
            found = shown.listed if isinstance(shown, ValidateReport) else ()
            return found[0], ()
    return None, ()
