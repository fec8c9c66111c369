"""Reports as one JSON document, with list items on separate lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reconciler.messages import diagnostic_document
from reconciler.messages.remarks import remarks_document
from reconciler.model.diagnostics import Diagnostic, Severity, count
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport

if TYPE_CHECKING:
    from reconciler.apply.report import ApplyReport, TaskResult
    from reconciler.render.wait.report import WaitedReport

FORMAT_VERSION = 1

# A runner looks for its commands anywhere in a line; in JSON `##` occurs in strings only.
_INERT = r"\x7f|##(?=\w*\[)"


def render(report: Report, style: Style) -> str:
    del style
    return dump(document(report))


def json_document(
    diagnostics: Iterable[Diagnostic] = (), /, **members: object
) -> dict[str, object]:
    """A document with the members that every document has."""
    listed = [diagnostic_document(diagnostic) for diagnostic in diagnostics]
    return {"formatVersion": FORMAT_VERSION, "diagnostics": listed, **members}


def document(report: Report) -> dict[str, object]:
    if isinstance(report, FailureReport):
        return json_document(report.diagnostics)
    if isinstance(report, ValidateReport):
        errors = count(report.diagnostics, Severity.ERROR)
        summary = {
            "tasks": report.tasks,
            "files": report.files,
            "errors": errors,
            "warnings": count(report.diagnostics, Severity.WARNING),
        }
        return json_document(report.diagnostics, valid=not errors, summary=summary)
    from reconciler.apply.report import ApplyReport
    from reconciler.plan.codec import plan_document
    from reconciler.render.wait.report import WaitedReport

    if isinstance(report, WaitedReport):
        return _waited(report)
    return _applied(report) if isinstance(report, ApplyReport) else plan_document(report)


def dump(document: Mapping[str, object]) -> str:
    """The text of a document, in ASCII, which any terminal and encoding can represent."""
    members = [f"{json.dumps(name)}: {_value(value)}" for name, value in document.items()]
    return inert("{" + ",\n ".join(members) + "}\n")


def json_line(value: Mapping[str, object]) -> str:
    """A document on one line (JSON Lines)."""
    return inert(json.dumps(value)) + "\n"


def inert(text: str) -> str:
    """ASCII JSON without anything that a workflow runner interprets as a command."""
    return re.sub(_INERT, lambda found: "\\u007f" if found[0] == "\x7f" else "\\u0023#", text)


def _value(value: object) -> str:
    if not isinstance(value, list | tuple) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(element) for element in value) + "]"


def _applied(report: ApplyReport) -> dict[str, object]:
    from reconciler.render.summary import USUAL_RESULTS

    summary = {name: n for name, n in report.summary().items() if n or name in USUAL_RESULTS}
    return json_document(
        report.diagnostics,
        summary=summary,
        **({"budget": report.budget} if report.budget else {}),
        tasks=[_task_result(task) for task in report.tasks],
    )


def _waited(report: WaitedReport) -> dict[str, object]:
    """The statuses: the document of `wait`, or a member of the document of apply."""
    from reconciler.plan.codec import task_document
    from reconciler.render.status.table import status_document

    statuses = status_document(report.statuses, report.read_at, report.diagnostics)
    waited = {"end": report.end.value, **statuses}
    if report.command == "wait":
        return {"formatVersion": waited.pop("formatVersion"), **waited}
    del waited["formatVersion"], waited["diagnostics"]
    if report.held:
        waited["held"] = [task_document(task) for task in report.held]
    return {**_applied(report), "wait": waited}


def _task_result(task: TaskResult) -> dict[str, object]:
    document: dict[str, object] = {
        "key": task.key,
        "orgName": task.org_name,
        "result": task.result.value,
        "taskId": task.task_id,
        "url": task.url,
        "error": None,
        "file": task.file,
        "line": task.line,
    }
    further = {
        "replaced": task.replaced,
        "cancelled": task.cancelled,
        "updated": list(task.updated),
    }
    document |= {name: value for name, value in further.items() if value}
    return document | remarks_document(task.problems, "error")
