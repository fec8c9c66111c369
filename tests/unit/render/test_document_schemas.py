"""The schemas of documents, and the documents of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.app.show import TaskReport
from reconciler.app.status import StatusReport
from reconciler.app.wait import End
from reconciler.apply.report import ApplyReport, Result
from reconciler.cli.commands.schema import SCHEMAS
from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.diagnostics import Severity
from reconciler.model.task_state import TaskState
from reconciler.plan.plan import Action, Origin
from reconciler.render import Report, render, view_of
from reconciler.render.document import dump
from reconciler.render.show import reports_document
from reconciler.render.state import state_document
from reconciler.render.status import status_document
from reconciler.render.style import Style
from reconciler.state.attempt import ChangeKind, HistoryKind
from reconciler.state.edit import known_refs
from reconciler.state.model import State
from reconciler.tasks.events import Last
from reconciler.tasks.status import RequestKind, TaskStatus
from tests.support import plan_strategies as some
from tests.support.documents import check_document, schema_of, unknown_members
from tests.support.report_strategies import reports, statuses
from tools.schemas import OF_FILES, SHARED

FOLDER = Path(__file__).resolve().parents[3] / "schemas"
DOCUMENTS = sorted(set(SCHEMAS) - set(OF_FILES))


def resolved(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The definition that a value consists of, or the value."""
    name = value.get("$ref", "").removeprefix("#/definitions/")
    return schema["definitions"][name] if name else value


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in schema.get("properties", {}).items():
        yield name, value
        yield from properties(value)
    for part in schema.get("definitions", {}).values():
        yield from properties(part)


def test_every_schema_is_offered() -> None:
    files = {path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json")}
    assert files == set(SCHEMAS)


@pytest.mark.parametrize("name", [*DOCUMENTS, "state"])
def test_a_schema_is_valid_and_describes_every_property_in_a_sentence(name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft7Validator.check_schema(schema)
    version = "version" if name == "state" else "formatVersion"
    assert schema["required"][0] == next(iter(schema["properties"])) == version
    found = list(properties(schema))
    assert len(found) > 5
    for key, value in found:
        text = resolved(schema, value).get("description", "")
        assert text[:1].isupper() or text.startswith("`"), key
        assert text.endswith("."), key
        assert "  " not in text, key


def test_the_schemas_know_the_values_that_the_code_has() -> None:
    """Programs are told of them; all but the counts are only examples, because more may come."""
    shared = json.loads(SHARED.read_text(encoding="utf-8"))["definitions"]
    applied = schema_of("apply")["definitions"]
    for kind, part, name in (
        (Action, shared["PlanTask"], "action"),
        (Origin, shared["ChangeItem"], "origin"),
        (Severity, shared["DiagnosticItem"], "severity"),
        (HistoryKind, shared["HistoryItem"], "what"),
        (ChangeKind, shared["RecordChangeItem"], "what"),
        (Last, shared["LastEvent"], "says"),
        (RequestKind, shared["RequestItem"], "wants"),
        (TaskState, shared["StatusTask"], "status"),
        (Result, applied["AppliedTask"], "result"),
    ):
        assert set(part["properties"][name]["examples"]) == {value.value for value in kind}
    assert set(shared["waitEnd"]["examples"]) == {end.value for end in End}
    assert list(applied["ApplySummary"]["properties"]) == list(ApplyReport(()).summary())
    summary = schema_of("plan")["definitions"]["PlanSummary"]["properties"]
    assert set(summary) == {action.value for action in Action}


def test_unknown_members_are_found() -> None:
    document = {"formatVersion": 1, "tasks": [{"key": "a", "foreign": 1, "lastEvent": {"b": 2}}]}
    found = set(unknown_members(schema_of("show"), {**document, "more": {}}))
    assert found == {".tasks[0].foreign", ".tasks[0].lastEvent.b", ".more"}


# Every kind of document satisfies its schema, and has no member that the schema lacks.


@given(reports)
def test_the_document_of_any_report_satisfies_its_schema(report: Report) -> None:
    document = json.loads(render("json", report, Style()))
    if command := view_of(report).command:
        check_document(command, document)


@given(st.lists(statuses, max_size=4), some.moments, st.lists(some.diagnostics, max_size=2))
def test_the_document_of_statuses(found: list[TaskStatus], now: Any, problems: list[Any]) -> None:
    check_document(
        "status", json.loads(dump(status_document(StatusReport(tuple(found), now), problems)))
    )


@given(some.states())
def test_the_document_of_a_state(state: State) -> None:
    check_document("state-list", json.loads(dump(state_document(state, sorted(known_refs(state))))))


@given(
    some.states(),
    statuses,
    st.none() | some.desired_tasks(),
    st.lists(some.changes, max_size=2).map(tuple),
    some.moments,
)
def test_the_document_of_a_task(
    state: State, status: TaskStatus, desired: Any, diff: Any, now: Any
) -> None:
    for ref in known_refs(state):
        report = TaskReport(ref, state, status, desired, diff)
        check_document("show", reports_document([report], [], now, AS_WRITTEN))
