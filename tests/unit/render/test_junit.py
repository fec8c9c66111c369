"""JUnit XML reports are well-formed whatever they contain, and their counts are correct."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.diagnostics import Severity
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Reason
from reconciler.render import Report, render, view_of
from reconciler.render.style import Style
from tests.support.diagnostics import error, warning
from tests.support.entry_sample import ROWS, as_planned, generated, plan_of
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN, desired
from tests.support.report_strategies import reports


def read(report: Report, style: Style | None = None) -> ET.Element:
    """Parses the document, and checks its structure and counts."""
    shown = render("junit", report, style or Style())
    assert invisible_in(shown) <= {"\n"}
    assert commands_in(shown) == []
    root = ET.fromstring(shown)
    assert root.tag == "testsuites"
    for suite in [root, *root.iter("testsuite")]:
        cases = list(suite.iter("testcase"))
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(sum(c.find("failure") is not None for c in cases))
        skipped = str(sum(c.find("skipped") is not None for c in cases))
        assert suite.get("skipped") == (None if suite is root else skipped)
        assert suite.get("errors") == str(sum(c.find("error") is not None for c in cases))
    for case in root.iter("testcase"):
        assert {"name", "classname", "time"} <= set(case.keys())
        outcome, *output = [child.tag for child in case] or [""]
        assert outcome in ("", "failure", "error", "skipped", "system-out")
        assert output in ([], ["system-out"])
    return root


def outcomes(root: ET.Element) -> dict[str, str]:
    return {
        f"{suite.get('name')} {case.get('name')}": next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for suite in root.iter("testsuite")
        for case in suite.iter("testcase")
    }


@given(reports)
def test_any_junit_report_is_well_formed(report: Report) -> None:
    root = read(report)
    assert len(list(root.iter("testcase"))) >= len(view_of(report).tasks(Style()))


def test_validate_has_a_suite_for_each_file_and_a_case_for_each_task() -> None:
    problems = (
        error("tasks.b.name: is blank", "Name it.", file="tasks/iam.yaml", line=9, key="b"),
        error("tasks.b.source: must be api", file="tasks/iam.yaml", line=10, column=4, key="b"),
        warning("tasks.rotate.message: a secret", file="tasks/iam.yaml", line=8, key="rotate"),
        error("manifest: is empty", file="tasks/empty.yaml"),
        replace(
            warning("tasks.b: of use to know", file="tasks/iam.yaml", key="b"),
            severity=Severity.NOTE,
        ),
    )
    report = ValidateReport(
        1, 3, problems, (desired("rotate", "x"),), ("tasks/empty.yaml", "tasks/iam.yaml", "z.yaml")
    )
    root = read(report, Style(locate=lambda file: f"infra/{file}"))
    assert root.get("name") == "taskctl validate"
    assert outcomes(root) == {
        "infra/tasks/empty.yaml (file)": "failure",
        "infra/tasks/iam.yaml b": "failure",
        "infra/tasks/iam.yaml rotate": "passed",
        "infra/z.yaml (file)": "passed",
    }
    failure = root.find(".//testcase[@name='b']/failure")
    assert failure is not None
    assert failure.get("message") == "infra/tasks/iam.yaml:9:1: tasks.b.name: is blank [TC744]"
    assert "Name it." in (failure.text or "")
    assert "10:4: tasks.b.source" in (failure.text or "")
    case = root.find(".//testcase[@name='rotate']")
    assert case is not None
    assert case.keys() == ["name", "classname", "time"]  # Jenkins' schema has no others
    assert (case.findtext("system-out") or "").startswith("warning: ")
    noted = root.findtext(".//testcase[@name='b']/system-out")
    assert (noted or "").startswith("note: ")


def test_a_plan_has_a_failure_where_a_person_is_needed() -> None:
    found = outcomes(read(PLAN))
    assert found["tasks/iam.yaml tag-buckets"] == "skipped"  # apply waits for it
    assert found["tasks/iam.yaml old-incident"] == "skipped"
    assert [name for name, outcome in found.items() if outcome != "passed"] == [
        "tasks/iam.yaml old-incident",
        "tasks/iam.yaml tag-buckets",
    ]
    changed = read(PLAN).findtext(".//testcase[@name='cost-review']/system-out") or ""
    assert 'approvalMode:           "manual" -> "auto"' in changed


def test_each_task_of_an_entry_is_a_case_and_a_held_one_is_skipped() -> None:
    tasks = [generated(row, number) for number, row in enumerate(ROWS[:3])]
    said = remark("held.pilot", ahead=("upgrade@api-0", "running", "720"), more=0)
    held = [as_planned(t, Action.HELD, Reason.PILOT, remarks=(said,)) for t in tasks[1:]]
    root = read(plan_of([as_planned(tasks[0]), *held]))
    assert list(outcomes(root).values()) == ["passed", "skipped", "skipped"]
    skipped = root.find(".//testcase[@name='upgrade@api-2']/skipped")
    assert skipped is not None
    message = skipped.get("message") or ""
    assert message == "held: waiting for the pilot: upgrade@api-0 (running for 12 min)"


def test_a_skipped_case_with_a_command_has_lines() -> None:
    gone = next(task for task in PLAN.tasks if task.action is Action.GONE)
    skipped = read(replace(PLAN, tasks=(gone,))).find(".//skipped")
    assert skipped is not None
    first, *more = (skipped.text or "").split("\n")
    assert first == skipped.get("message")
    assert any(line.strip().startswith("taskctl ") for line in more)
    assert "\\n" not in first


def test_an_apply_has_a_failure_for_each_failed_task() -> None:
    results = [
        TaskResult(
            TaskRef("acme", "a"), Result.CREATED, "t-1", "https://x/t-1", file="a.yaml", line=2
        ),
        TaskResult(
            TaskRef("acme", "b"),
            Result.FAILED,
            problems=(remark("apply.unknown", why="no <way>\nat all"),),
            file="a.yaml",
        ),
        TaskResult(
            TaskRef("acme", "c"),
            Result.UNRESOLVED,
            problems=(remark("apply.unknown", why="who knows"),),
            file="a.yaml",
        ),
        TaskResult(TaskRef("acme", "d"), Result.NOT_STARTED, file="a.yaml"),
    ]
    root = read(ApplyReport(tuple(results), (error("cannot save the state"),)))
    assert outcomes(root) == {
        "a.yaml a": "passed",
        "a.yaml b": "failure",
        "a.yaml c": "failure",
        "a.yaml d": "skipped",
        "taskctl apply": "failure",
    }
    assert "https://x/t-1" in (root.findtext(".//testcase[@name='a']/system-out") or "")


def test_a_failed_command_has_a_failed_case() -> None:
    assert outcomes(read(FailureReport((error("no token"),)))) == {"taskctl failed": "failure"}
    found = outcomes(read(FailureReport((error("tasks.a: x", file="a.yaml", key="a"),))))
    assert found == {"a.yaml a": "failure"}
