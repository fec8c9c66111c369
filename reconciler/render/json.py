"""Reports as one JSON document, with list items on separate lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reconciler.messages import diagnostic_document
from reconciler.messages.remarks import remarks_document
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport

if TYPE_CHECKING:
    from reconciler.apply.report import ApplyReport, TaskResult
    from reconciler.render.wait import WaitedReport

FORMAT_VERSION = 1

# A runner looks for its commands anywhere in a line; in JSON `##` occurs in strings only.
_INERT = r"\x7f|##(?=\w*\[)"


def render(report: Report, style: Style) -> str:
    del style
    return dump(document(report))


def json_document(
    diagnostics: Iterable[Diagnostic] = (), /, **members: object
) -> dict[str, object]:
    """A document with the members that every document has (contract, section 3)."""
    listed = [diagnostic_document(diagnostic) for diagnostic in diagnostics]
    return {"formatVersion": FORMAT_VERSION, "diagnostics": listed, **members}


def document(report: Report) -> dict[str, object]:
    if isinstance(report, FailureReport):
        return json_document(report.diagnostics)
    if isinstance(report, ValidateReport):
        errors = report.count(Severity.ERROR)
        summary = {
            "tasks": report.tasks,
            "files": report.files,
            "errors": errors,
            "warnings": report.count(Severity.WARNING),
        }
        return json_document(report.diagnostics, valid=not errors, summary=summary)
    from reconciler.apply.report import ApplyReport

    if isinstance(report, ApplyReport):
        from reconciler.render.wait import WaitedReport

        return _waited(report) if isinstance(report, WaitedReport) else _applied(report)
    from reconciler.plan.codec import plan_document

    return plan_document(report)


def dump(document: Mapping[str, object]) -> str:
    """The text of a document, in ASCII, which survives any terminal and encoding."""
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
    return json_document(
        report.diagnostics,
        summary=_apply_summary(report),
        **({"budget": report.budget} if report.budget else {}),
        tasks=[_task_result(task) for task in report.tasks],
    )


def _waited(report: WaitedReport) -> dict[str, object]:
    """The statuses: the document of `wait`, or a member of the one of apply."""
    from reconciler.plan.codec import task_document
    from reconciler.render.status import status_document

    stood = status_document(report.statuses, report.read_at, report.diagnostics)
    stood = {"end": report.end.value, **stood}
    if report.command == "wait":
        return {"formatVersion": stood.pop("formatVersion"), **stood}
    del stood["formatVersion"], stood["diagnostics"]
    if report.held:
        stood["held"] = [task_document(task) for task in report.held]
    return {**_applied(report), "wait": stood}


def _apply_summary(report: ApplyReport) -> dict[str, int]:
    """The contract's five counts, and others that are not zero."""
    from reconciler.apply.report import Result

    summary = report.summary()
    later = (Result.REPLACED, Result.MOVED, Result.UPDATED, Result.FORGOTTEN)
    return {name: n for name, n in summary.items() if n or name not in later}


def _task_result(task: TaskResult) -> dict[str, object]:
    shown: dict[str, object] = {
        "key": task.key,
        "orgName": task.org_name,
        "result": task.result.value,
        "taskId": task.task_id,
        "url": task.url,
        "error": None,
        "file": task.file,
        "line": task.line,
    }
    further = {"replaced": task.replaced, "updated": list(task.updated)}
    shown |= {name: value for name, value in further.items() if value}
    return shown | remarks_document(task.problems, "error")
