"""The result of an import as text and as a document."""

from __future__ import annotations

from typing import Any

from reconciler.importing.report import ImportedTask, ImportReport, ImportResult
from reconciler.model.diagnostics import in_order
from reconciler.render import cells, safe
from reconciler.render.json import json_document
from reconciler.render.reports import Style

_SIGNS = {
    ImportResult.IMPORTED: ">",
    ImportResult.WRITTEN: "+",
    ImportResult.SKIPPED: "=",
    ImportResult.FAILED: "!",
}


def import_document(report: ImportReport) -> dict[str, Any]:
    """The JSON document; for a dry run with the text that would be written."""
    return json_document(
        in_order(report.diagnostics),
        summary={result.value: report.count(result) for result in ImportResult},
        dryRun=report.dry_run,
        file=report.file,
        tasks=[_task(task) for task in report.tasks],
        **({"manifest": report.manifest} if report.dry_run else {}),
    )


def import_text(report: ImportReport, style: Style) -> str:
    """One line per task, and the counts."""
    palette = style.palette
    width = max((cells.width(safe.line(task.key)) for task in report.tasks), default=0)
    paints = {">": palette.green, "+": palette.green, "!": palette.red, "=": palette.dim}
    rows = [
        f"{paints[_SIGNS[task.result]](_SIGNS[task.result])} {_row(task, width)}\n"
        for task in report.tasks
    ]
    return "".join([*rows, *(["\n"] if rows else []), f"{import_summary(report)}\n"])


def import_summary(report: ImportReport) -> str:
    """`2 tasks imported into tasks/imported.yaml, 1 skipped.`"""
    file, parts = safe.line(report.file), []
    here = {task.file for task in report.tasks if task.result is ImportResult.IMPORTED} <= {
        report.file
    }
    for result, words in (
        (ImportResult.IMPORTED, f"imported into {file}" if here else "imported"),
        (ImportResult.WRITTEN, f"written to {file} without a known task"),
        (ImportResult.SKIPPED, "skipped"),
        (ImportResult.FAILED, "failed"),
    ):
        number = report.count(result)
        if number:
            parts.append(f"{number} {words}")
    if not parts:
        return "No matching tasks; nothing was imported."
    return f"{', '.join(parts)}."


def _row(task: ImportedTask, width: int) -> str:
    key = safe.line(task.key)
    place = f"{task.file}:{task.line}" if task.file and task.line else task.file or ""
    parts = [
        key + " " * (width - cells.width(key)),
        f"task {task.task_id}" if task.task_id else "",
        place,
        task.why.value if task.why else "",
    ]
    return "  ".join([parts[0], *(safe.line(part) for part in parts[1:] if part)]).rstrip()


def _task(task: ImportedTask) -> dict[str, object]:
    return {
        "key": task.key,
        "orgName": task.org_name,
        "taskId": task.task_id,
        "file": task.file,
        "line": task.line,
        "result": task.result.value,
        "why": task.why,
    }
