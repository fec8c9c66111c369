"""JSON reports are one complete document in ASCII."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Plan
from reconciler.render import FORMATS, Report, render, view_of
from reconciler.render.document import dump
from reconciler.render.style import Style
from tests.support import plan_strategies as some
from tests.support.escaping import commands_in, invisible_in


@given(st.dictionaries(some.text, some.values, min_size=1, max_size=4))
def test_any_document_is_read_back_from_its_text(values: dict[str, Any]) -> None:
    text = dump(values)
    assert json.loads(text) == values
    assert text.isascii()
    assert invisible_in(text) <= {"\n"}
    assert commands_in(text) == []
    assert text.endswith("}\n")


def test_a_delete_character_is_escaped() -> None:
    """A terminal may act on it, though it is ASCII."""
    assert dump({"a": "b\x7f"}) == '{"a": "b\\u007f"}\n'


@given(some.plans(), st.booleans())
def test_every_report_has_a_version_and_diagnostics(plan: Plan, quiet: bool) -> None:
    reports: list[Report] = [
        plan,
        ApplyReport((), plan.diagnostics),
        ValidateReport(1, 1, plan.diagnostics),
        FailureReport(plan.diagnostics),
    ]
    for report in reports:
        text = render("json", report, Style(quiet=quiet, color=True, width=40))
        shown = json.loads(text)
        assert next(iter(shown)) == "formatVersion"
        assert shown["formatVersion"] == 1
        assert len(shown["diagnostics"]) == len(plan.diagnostics)
        assert shown == json.loads(dump(view_of(report).document(AS_WRITTEN)))


def test_an_apply_report_has_the_documented_fields() -> None:
    task = TaskResult(
        TaskRef("acme", "a"), Result.CREATED, "t-1", "https://x/t-1", file="a.yaml", line=2
    )
    shown = view_of(ApplyReport((task,))).document(AS_WRITTEN)
    assert shown["summary"] == {
        "created": 1,
        "adopted": 0,
        "moved": 0,
        "updated": 0,
        "replaced": 0,
        "forgotten": 0,
        "held": 0,
        "failed": 0,
        "unresolved": 0,
        "notStarted": 0,
    }
    assert shown["tasks"] == [
        {
            "key": "a",
            "orgName": "acme",
            "result": "created",
            "taskId": "t-1",
            "url": "https://x/t-1",
            "error": None,
            "file": "a.yaml",
            "line": 2,
        }
    ]


@pytest.mark.parametrize("result", Result)
def test_failed_results_make_an_apply_fail(result: Result) -> None:
    failed = ApplyReport((TaskResult(TaskRef("acme", "a"), result),)).failed()
    assert failed == (result in (Result.FAILED, Result.UNRESOLVED, Result.NOT_STARTED))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders(name: str) -> None:
    text = render(name, ValidateReport(1, 1), Style())
    assert text.endswith("\n") or (name, text) == ("github", "")


def test_an_unknown_format_is_rejected() -> None:
    with pytest.raises(KeyError):
        render("nonsense", FailureReport(()), Style())
