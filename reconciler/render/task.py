"""Everything known about one task: record, manifest, and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.absent import ABSENT
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.plan import Change
from reconciler.render import safe
from reconciler.render.conversation import age
from reconciler.render.reports import Palette, Style
from reconciler.render.state import state_document, task_text
from reconciler.render.status import status_document
from reconciler.render.values import change_rows, flow, setting_rows
from reconciler.state.model import State
from reconciler.tasks.status import TaskStatus


@dataclass(frozen=True, slots=True)
class TaskReport:
    """One task. `desired`: None if no manifest has it. `diff`: what the manifest would change."""

    ref: TaskRef
    state: State
    status: TaskStatus
    desired: DesiredTask | None
    diff: tuple[Change, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def report_text(report: TaskReport, style: Style, now: datetime) -> str:
    palette = style.palette
    text = task_text(report.state, report.ref, style, outputs=not report.status.raw)
    return text + "".join(f"{row}\n" for row in _further(report, style, palette, now))


def report_document(report: TaskReport, now: datetime) -> dict[str, object]:
    """The task of `state show` and of `status`, plus the manifest's side."""
    shown = status_document([report.status], now, report.diagnostics)
    known = state_document(report.state, [report.ref])["tasks"][0]
    recorded = known.pop("outputs", {})
    desired = report.desired
    manifest = None
    if desired is not None:
        manifest = {
            "file": desired.file,
            "line": desired.line,
            "inputs": dict(desired.inputs),
        }
    task = {
        **known,
        **shown["tasks"][0],
        "recordedOutputs": recorded,
        "manifest": manifest,
        "diff": [_change(change) for change in report.diff],
    }
    return {**shown, "tasks": [task]}


def _further(report: TaskReport, style: Style, palette: Palette, now: datetime) -> Sequence[str]:
    rows = ["  in its manifest:"]
    columns = style.width - 4
    if report.desired is None:
        rows.append("    (it is in none that could be read)")
    elif not report.diff:
        rows.append("    the same")
    else:
        whole = setting_rows(report.desired.inputs, columns, palette, verbose=True)
        changes = change_rows(report.diff, columns, palette, verbose=style.verbose)
        rows += [f"    {row}" for row in (whole if style.verbose else ())]
        rows += ["  so it differs:", *(f"    {row}" for row in changes)]
    status = report.status
    created = status.created_at
    since = f", {age((now - created).total_seconds())} old" if created else ""
    rows.append(f"  at the service: {status.state.value}{since}")
    pad = max(map(len, status.raw), default=0) + 1
    for name, value in sorted(status.raw.items()):
        label = palette.dim(f"{safe.line(name)}:".ljust(pad))
        rows.append(f"    {label} {flow(value)}")
    return [safe.without_commands(row) for row in rows]


def _change(change: Change) -> dict[str, object]:
    sides = {"before": change.before, "after": change.after}
    present = {name: side for name, side in sides.items() if side is not ABSENT}
    origin = {"origin": change.origin.value, "inPlace": change.in_place}
    return {"path": change.path, **present, **origin}
