"""GitHub's runner reads a report from its workflow commands, and no other command."""

from __future__ import annotations

import re

from hypothesis import given

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Plan
from reconciler.render import Report, render
from reconciler.render.style import Style
from tests.support.diagnostics import error, warning
from tests.support.escaping import invisible_in
from tests.support.plan_sample import PLAN
from tests.support.report_strategies import reports

COMMAND = re.compile(r"::(error|warning|notice) (.*?)::(.*)")
UNESCAPED = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


def read(shown: str) -> list[tuple[str, dict[str, str], str]]:
    """Parses a line as the runner does: properties up to the first `::`, then data."""
    found = []
    for line in shown.splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = [pair.split("=", 1) for pair in match[2].split(",")]
        properties = {name: _unescaped(value) for name, value in pairs}
        found.append((match[1], properties, _unescaped(match[3])))
    return found


def _unescaped(text: str) -> str:
    return re.sub("%(?:0D|0A|3A|2C|25)", lambda found: UNESCAPED[found[0]], text)


@given(reports)
def test_every_line_is_one_of_our_commands(report: Report) -> None:
    shown = render("github", report, Style())
    found = read(shown)
    for kind, properties, _ in found:
        assert kind in ("error", "warning", "notice")
        assert set(properties) <= {"file", "line", "col", "title"}
        assert re.fullmatch(r"\d*", properties.get("line", "") + properties.get("col", ""))
    assert invisible_in(shown) <= {"\n"}
    errors = sum(d.severity is Severity.ERROR for d in set(report.diagnostics))
    if isinstance(report, ValidateReport | Plan | FailureReport):
        assert sum(kind == "error" for kind, _, _ in found) == errors


def test_a_problem_is_annotated_at_its_position() -> None:
    problem = error(
        "tasks.a,b: 100% wrong", "Why.\nHow.", file="a,b:c.yaml", line=7, column=3, key="a"
    )
    shown = render(
        "github", ValidateReport(0, 1, (problem,)), Style(locate=lambda file: f"sub/{file}")
    )
    assert shown == (
        "::error file=sub/a%2Cb%3Ac.yaml,line=7,col=3,title=taskctl%3A a::"
        "tasks.a,b: 100%25 wrong [TC744]%0AWhy.%0AHow.\n"
    )
    assert read(shown) == [
        (
            "error",
            {"file": "sub/a,b:c.yaml", "line": "7", "col": "3", "title": "taskctl: a"},
            "tasks.a,b: 100% wrong [TC744]\nWhy.\nHow.",
        )
    ]


def test_a_problem_without_a_file_has_no_position() -> None:
    shown = render("github", FailureReport((error("no token"),)), Style())
    assert shown == "::error title=taskctl::no token [TC744]\n"


def test_unresolved_and_gone_tasks_are_at_their_manifest_s_line() -> None:
    found = read(render("github", PLAN, Style()))
    assert [(kind, properties["title"], properties["line"]) for kind, properties, _ in found] == [
        ("warning", "taskctl: tag-buckets", "7"),
        ("notice", "taskctl: old-incident", "7"),
    ]
    assert "taskctl apply --allow-recreate=acme/old-incident" in found[1][2]


def test_failed_tasks_of_an_apply_are_annotated() -> None:
    results = [
        TaskResult(
            TaskRef("acme", "a"),
            Result.FAILED,
            problems=(remark("apply.unknown", why="no\nway"),),
            file="a.yaml",
            line=2,
        ),
        TaskResult(TaskRef("acme", "b"), Result.CREATED, "t-1", "https://x/t-1"),
        TaskResult(TaskRef("acme", "c"), Result.NOT_STARTED),
    ]
    found = read(render("github", ApplyReport(tuple(results)), Style()))
    assert [(kind, text) for kind, _, text in found] == [
        ("error", "a: failed: no way"),
        ("warning", "c: not started"),
    ]


def test_errors_come_first_because_a_step_shows_ten_of_each_kind() -> None:
    found: list[Diagnostic] = [warning(f"w{n}", file="a.yaml", line=n) for n in range(12)]
    found += [error(f"e{n}", file="b.yaml", line=n) for n in range(11)]
    shown = read(render("github", ValidateReport(0, 1, tuple(found)), Style()))
    assert [kind for kind, _, _ in shown] == ["error"] * 11 + ["warning"] * 12
