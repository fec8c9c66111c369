"""The result of an import as text and as a document."""

from __future__ import annotations

from typing import Any

from reconciler.importing.report import ImportedTask, ImportReport, ImportResult
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import phrase
from reconciler.model.diagnostics import has_errors, in_order
from reconciler.render import cells, safe
from reconciler.render.document import json_document
from reconciler.render.style import Style


def import_document(report: ImportReport, commands: Commands) -> dict[str, Any]:
    """The JSON document; in a dry run with the text that would be written."""
    return json_document(
        in_order(report.diagnostics),
        commands,
        summary={result.value: report.count(result) for result in ImportResult},
        dryRun=report.dry_run,
        file=report.file,
        tasks=[
            {
                "key": task.key,
                "orgName": task.org_name,
                "taskId": task.task_id,
                "file": task.file,
                "line": task.line,
                "result": task.result.value,
                "why": _why(task),
            }
            for task in report.tasks
        ],
        **({"manifest": report.manifest} if report.dry_run else {}),
    )


def import_text(report: ImportReport, style: Style) -> str:
    """One line per task, and the counts."""
    palette = style.palette
    width = max((cells.width(safe.line(task.key)) for task in report.tasks), default=0)
    signs = {
        ImportResult.IMPORTED: palette.green(">"),
        ImportResult.WRITTEN: palette.green("+"),
        ImportResult.SKIPPED: palette.dim("="),
        ImportResult.FAILED: palette.red("!"),
    }
    rows = [f"{signs[task.result]} {_row(task, width)}\n" for task in report.tasks]
    return "".join([*rows, *(["\n"] if rows else []), f"{import_summary(report)}\n"])


def import_summary(report: ImportReport) -> str:
    """`2 imported into tasks/imported.yaml, 1 skipped.`; for a dry run, what would be imported."""
    file = safe.line(report.file)
    imported = {task.file for task in report.tasks if task.result is ImportResult.IMPORTED}
    done, written = ("to import", "to write") if report.dry_run else ("imported", "written")
    labels = {
        ImportResult.IMPORTED: f"{done} into {file}" if imported <= {report.file} else done,
        ImportResult.WRITTEN: f"{written} to {file} without a known task",
        ImportResult.SKIPPED: "skipped",
        ImportResult.FAILED: "failed",
    }
    parts = [f"{n} {label}" for result, label in labels.items() if (n := report.count(result))]
    if parts:
        return f"{', '.join(parts)}."
    if has_errors(report.diagnostics):
        return "Nothing was imported."
    where = f" in {safe.line(', '.join(report.organizations))}" if report.organizations else ""
    return f"No matching tasks{where}; nothing was imported."


def _why(task: ImportedTask) -> str | None:
    return phrase(f"skipped.{task.why}") if task.why is not None else None


def _row(task: ImportedTask, width: int) -> str:
    parts = [
        f"task {task.task_id}" if task.task_id else "",
        f"{task.file}:{task.line}" if task.file and task.line else task.file or "",
        _why(task),
    ]
    key = cells.pad(safe.line(task.key), width)
    return "  ".join([key, *(safe.line(part) for part in parts if part)]).rstrip()
