"""Results are compared with what is expected in limited time, with one validator per schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.app.expectations import Evaluation
from reconciler.manifest.schema import validator_of
from reconciler.model import limits
from reconciler.model.task import Expectation, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.tasks.events import EventSummary, Last
from reconciler.tasks.status import TaskStatus
from tests.support.schemas import SCHEMA, doubled


def finished(key: str, data: object) -> TaskStatus:
    words = f"```json\n{json.dumps(data)}\n```"
    summary = EventSummary("event", Last.FINAL, words)
    return TaskStatus(TaskRef("acme", key), TaskState.DONE, task_id=key, summary=summary)


def evaluated(schema: dict[str, Any], *datas: object) -> list[TaskStatus]:
    statuses = [finished(f"t{n}", data) for n, data in enumerate(datas)]
    expected = {status.ref: Expectation(data=schema) for status in statuses}
    return Evaluation().of_all(statuses, expected)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a gc callback
@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 80 + "!"),
        ({"uniqueItems": True}, [{"n": n} for n in range(20_000)]),
        (doubled(40), 1),
        ({"$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}]}}, "$ref": "#/$defs/x"}, 1),
        ({"$ref": "#/nowhere"}, 1),
    ],
)
def test_what_takes_too_long_is_unknown_and_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any], data: object
) -> None:
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.2)
    found = evaluated(schema, data, data, data, data)
    assert [status.state for status in found] == [TaskState.UNKNOWN] * 4
    cases = [reason.case for status in found for reason in status.unmet]
    assert cases == ["time", "time", "time", "skipped"]


def test_a_task_that_takes_too_long_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.2)
    schema = {"items": {"pattern": "^(a+)+$"}}
    found = evaluated(schema, ["a"], ["a" * 80 + "!"], ["a"], ["b"])
    assert [status.state.value for status in found] == ["done", "unknown", "done", "unmet"]


def test_a_schema_has_one_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(schema: dict[str, Any]) -> object:
        made.append(schema)
        return validator_of(schema)

    monkeypatch.setattr("reconciler.manifest.schema.validator_of", counted)
    statuses = [finished(f"t{n}", {"upgraded": []}) for n in range(9)]
    expected = {s.ref: Expectation(data=json.loads(json.dumps(SCHEMA))) for s in statuses}
    evaluation = Evaluation()
    for _ in range(2):
        found = evaluation.of_all(statuses, expected)
    assert {status.state for status in found} == {TaskState.DONE}
    assert len(made) == 1
