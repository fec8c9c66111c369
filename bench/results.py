"""The evaluation of results in memory, compared with jsonschema alone.

`python -m bench.results`: the CPU times in seconds, as JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from bench.measure import PYTHON, Command, run
from bench.table import Row
from reconciler.app.expectations import Evaluation
from reconciler.model.task import Expectation, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.tasks.events import EventSummary, Last
from reconciler.tasks.status import TaskStatus

_ROUNDS = 5
_FIELDS = ({"type": "string", "minLength": 1, "pattern": "^[a-z]+$"}, {"type": "integer"})
_FEW = {
    "type": "object",
    "required": ["upgraded", "skipped"],
    "properties": {"upgraded": {"type": "array", "items": {"type": "string"}}},
}


def evaluation(_: Path) -> Iterator[Row]:
    times = json.loads(run(Command((PYTHON, "-m", "bench.results"))).stdout)
    mine, theirs = min(times["fields"]), min(times["jsonschema"])
    yield Row(
        "Evaluation of 1,000 results, a schema of 60 fields, against jsonschema: CPU time",
        mine / theirs,
        1.5,
        1.25,
        "x",
        f"{mine:.2f} s, {theirs:.2f} s; answers in memory, one validator",
        smaller=True,
    )
    yield Row(
        "Evaluation of 10,000 results, five keywords: CPU time",
        min(times["keywords"]),
        6,
        3,
        " s",
        "answers in memory",
        smaller=True,
    )


def _measured() -> dict[str, list[float]]:
    wide = {
        "type": "object",
        "required": [f"f{n}" for n in range(60)],
        "properties": {f"f{n}": _FIELDS[n % 2] for n in range(60)},
        "additionalProperties": False,
    }
    data = {f"f{n}": n if n % 2 else "upgraded" for n in range(60)}
    answers = [f"Done.\n\n```json\n{json.dumps(data)}\n```\n"] * 1_000
    few = ['Done.\n\n```json\n{"upgraded": ["aws", "gcp"], "skipped": []}\n```\n'] * 10_000
    found: dict[str, list[float]] = {"fields": [], "jsonschema": [], "keywords": []}
    for _ in range(_ROUNDS):
        found["fields"].append(_seconds(lambda: _evaluate(wide, answers)))
        found["jsonschema"].append(_seconds(lambda: _validate(wide, answers)))
        found["keywords"].append(_seconds(lambda: _evaluate(_FEW, few)))
    return found


def _evaluate(schema: dict[str, Any], answers: list[str]) -> None:
    expect = Expectation(data=schema)
    statuses = [
        TaskStatus(
            TaskRef("acme", f"upgrade@{number}"),
            TaskState.DONE,
            task_id=f"task-{number}",
            summary=EventSummary("last", Last.FINAL, answer),
        )
        for number, answer in enumerate(answers)
    ]
    found = Evaluation().of_all(statuses, {status.ref: expect for status in statuses})
    if any(status.state is not TaskState.DONE for status in found):
        raise RuntimeError("a result is not as expected")


def _validate(schema: dict[str, Any], answers: list[str]) -> None:
    validator = Draft202012Validator(schema)
    for answer in answers:
        data = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
        if list(validator.iter_errors(data)):
            raise RuntimeError("a result is not as expected")


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    print(json.dumps(_measured()))
