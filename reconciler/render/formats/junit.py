"""Reports as JUnit XML: a suite per manifest file, a case per task.

A case fails if a person has to act before `apply` can succeed: an error in a manifest, or a task
that failed or is unresolved. A task that did not succeed during a wait is an error, or a failure if
it is only unmet. Tasks that apply does not modify (gone), waits for, or must not create yet (held),
are skipped. All others pass, with apply's action in `system-out`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.apply.report import Result
from reconciler.messages import plain_text
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.plan.plan import Action, Reason
from reconciler.render import safe
from reconciler.render.issues import diagnostics_of
from reconciler.render.plan.tasks import PlannedView
from reconciler.render.style import Style
from reconciler.render.task_view import TaskView, pull_requests_text
from reconciler.render.values import change_rows
from reconciler.render.view import ReportView

ELSEWHERE = "taskctl"
"""The suite for problems and tasks without a file."""

_FILE = "(file)"
_WIDTH = 100


@dataclass(slots=True)
class _Case:
    """The first of `failures` is the message. `skipped` is ignored if there are failures."""

    name: str
    class_name: str
    line: int | None = None
    failures: list[str] = field(default_factory=list)
    skipped: str = ""
    output: list[str] = field(default_factory=list)
    is_error: bool = False


class _Suites:
    def __init__(self) -> None:
        self.by_file: dict[str, dict[tuple[str, str], _Case]] = {}

    def case(self, file: str | None, org_name: str, key: str, line: int | None = None) -> _Case:
        cases = self.by_file.setdefault(file or ELSEWHERE, {})
        if (org_name, key) not in cases:
            class_name = ".".join(part for part in (file or ELSEWHERE, org_name) if part)
            cases[org_name, key] = _Case(key, class_name, line)
        return cases[org_name, key]

    def add_problem(self, problem: Diagnostic, command: str, commands: Commands) -> None:
        """Adds a problem to the test case of its task (in any organization), or else to that of its
        file."""
        key = problem.key or (_FILE if problem.file else command or "failed")
        cases = self.by_file.get(problem.file or ELSEWHERE, {})
        case = next((c for (_, name), c in cases.items() if name == key), None)
        if case is None:
            case = self.case(problem.file, "", key, problem.line)
        text = plain_text(problem, commands)
        if problem.file:
            text = f"{safe.line(problem.file)}:{problem.line or 1}:{problem.column or 1}: {text}"
        if problem.severity is Severity.ERROR:
            case.failures.append(text)
        else:
            case.output.append(f"{problem.severity.value}: {text}")

    def add_task(self, view: TaskView) -> None:
        case = self.case(view.file, view.ref.org_name, view.key, view.line)
        text = view.text
        is_settling = isinstance(view, PlannedView) and view.task.reason is Reason.SETTLING
        if is_settling or view.word in (Result.NOT_STARTED, Action.HELD):
            case.skipped = text
        elif view.level is Severity.ERROR or view.word == Action.UNRESOLVED:
            case.failures.append(text)
            case.is_error = view.is_broken
        elif view.level is not None:
            case.skipped = text
        elif view.word != Action.UNCHANGED or view.why:
            case.output += [text, *([view.url] if view.url else [])]
            if view.pull_requests:
                case.output.append(f"pull requests: {pull_requests_text(view.pull_requests)}")
            case.output += change_rows(view.diff, Style(width=_WIDTH, verbose=True))


def render(view: ReportView, style: Style) -> str:
    """The XML document, without times."""
    suites = _Suites()
    for checked in view.checked():
        suites.case(style.locate(checked.file), checked.org_name or "", checked.key, checked.line)
    for task in view.tasks(style):
        suites.add_task(task)
    for problem in diagnostics_of(view, style):
        suites.add_problem(problem, view.command, style.commands)
    for name in map(style.locate, view.files):
        if name not in suites.by_file:
            suites.case(name, "", _FILE)
    name = f"taskctl {view.command}{view.target}".rstrip()
    cases = [case for by_key in suites.by_file.values() for case in by_key.values()]
    counts = _counts(cases)
    del counts["skipped"]  # not an attribute of `testsuites` in Jenkins' schema
    root = Element("testsuites", {"name": safe.line(name), **counts})
    for file, by_key in sorted(suites.by_file.items()):
        _add_suite(root, file, by_key.values())
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n'


def _add_suite(root: Element, file: str, cases: Collection[_Case]) -> None:
    suite = _element(root, "testsuite", name=file, **_counts(cases))
    for case in cases:
        element = _element(suite, "testcase", name=case.name, classname=case.class_name, time="0")
        if case.failures:
            message = case.failures[0].split("\n")[0]
            tag = "error" if case.is_error else "failure"
            failure = _element(element, tag, message=message, type="error")
            failure.text = safe.block("\n".join(case.failures))
        elif case.skipped:
            message, _, more = case.skipped.partition("\n")
            skipped = _element(element, "skipped", message=message)
            skipped.text = safe.block(case.skipped) if more else None
        if case.output:
            _element(element, "system-out").text = safe.block("\n".join(case.output))


def _element(parent: Element, tag: str, **attributes: str) -> Element:
    """Adds an element; `safe` escapes what XML does not allow."""
    inert = {name: safe.line(value) for name, value in attributes.items()}
    return SubElement(parent, tag, inert)


def _counts(cases: Collection[_Case]) -> dict[str, str]:
    failures = sum(bool(case.failures) and not case.is_error for case in cases)
    errors = sum(bool(case.failures) and case.is_error for case in cases)
    skipped = sum(bool(case.skipped and not case.failures) for case in cases)
    numbers = {"tests": len(cases), "failures": failures, "errors": errors, "skipped": skipped}
    return {name: str(number) for name, number in numbers.items()} | {"time": "0"}
