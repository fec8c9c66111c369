"""Entries: what they generate, that other rows never change a key, and their errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expand.entries import expand
from reconciler.manifest.expand.expansion import Expansion, Room
from reconciler.manifest.expand.rows import Row, RowError, rows_of_file
from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.nodes import read_nodes
from reconciler.manifest.parse.source import read_source
from reconciler.model.codes import Code
from reconciler.model.task import Rollout
from reconciler.model.typed_json import encode_json

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FILES = {
    "stacks.csv": "name,owner\nnetwork,platform\ndata,analytics\n",
    "ragged.csv": "name,owner\nnetwork\n",
    "twice.csv": "name\nnetwork\nnetwork\n",
    "odd.csv": "name\nné t\n",
}


def read(path: str) -> list[Row] | Finding:
    try:
        return rows_of_file(path, FILES[path], lambda: None)
    except RowError as problem:
        found = Finding(Code.INVALID_DATA, (), problem.case, problem.facts)
        return found.at_row(path, problem.line)


def expanded(entry: str, now: datetime = NOW, room: Room | None = None) -> Expansion:
    """The tasks that the entry `job` generates; `entry` is its YAML."""
    lines = "\n".join(f"    {line}" for line in entry.strip().splitlines())
    text = f"version: 1\ntasks:\n  job:\n{lines}\n"
    source = read_source(text.encode())
    assert not source.findings
    task: Any = source.data["tasks"]["job"]
    return expand("job", task, read_nodes(source.events()), lambda: now, read, room or Room())


def found(expansion: Expansion) -> list[tuple[Code, str]]:
    return [(f.code, f.case) for f in expansion.findings]


def test_axes_are_multiplied_and_templates_filled() -> None:
    made = expanded(
        """
        forEach:
          stack: {file: stacks.csv}
          region: [eu, 1.10]
          exclude: [{stack: {name: data}, region: eu}]
        key: "{{ stack.name }}-{{ region }}"
        message:
          content: Rotate {{ stack.name }} ({{ stack.owner }}) in {{ region }}.
        role: "{{ stack.owner }}"
        planMode: true
        """.replace("\n        ", "\n")
    )
    assert not made.findings
    assert made.tasks == {
        f"job@{name}-{region}": {
            "message": {"content": f"Rotate {name} ({owner}) in {region}."},
            "role": owner,
            "planMode": True,
        }
        for name, owner, region in [
            ("network", "platform", "eu"),
            ("network", "platform", "1.10"),
            ("data", "analytics", "1.10"),
        ]
    }
    origin = made.origins["job@data-1.10"]
    assert (origin.row_file, origin.row_line) == ("stacks.csv", 3)
    assert origin.generated.values == {
        "stack.name": "data",
        "stack.owner": "analytics",
        "region": "1.10",
    }


def test_the_default_key_joins_values_and_names() -> None:
    made = expanded("forEach: {stack: {file: stacks.csv}, n: [1, 2]}\nmessage: x")
    assert list(made.tasks) == ["job@network-1", "job@network-2", "job@data-1", "job@data-2"]


def test_periods_are_part_of_the_key() -> None:
    made = expanded(
        "every: month\nforEach: {n: [a]}\n"
        "message: from {{ previous.start }} to {{ previous.end }}, {{ period.name }}"
    )
    assert {key: task["message"] for key, task in made.tasks.items()} == {
        "job@a@2026-11": "from 2026-10-01 to 2026-10-31, 2026-11",
    }
    assert made.origins["job@a@2026-11"].generated.period == "2026-11"


def test_a_period_before_its_first_day_generates_nothing() -> None:
    made = expanded('every: month\nfrom: "2026-12-01"\nmessage: x')
    assert (made.tasks, made.findings) == ({}, [])


def test_the_pilot_is_a_number_or_the_rows_that_match() -> None:
    first = expanded("forEach: {n: [a, b, c]}\nrollout: {pilot: 2, atOnce: 5}\nmessage: '{{ n }}'")
    assert {origin.rollout for origin in first.origins.values()} == {Rollout(2, at_once=5)}
    matched = expanded("forEach: {n: [a, b]}\nrollout: {pilot: [{n: b}]}\nmessage: '{{ n }}'")
    assert [origin.is_pilot for origin in matched.origins.values()] == [False, True]


def test_a_matcher_of_a_pilot_must_match_unless_there_are_no_rows() -> None:
    rollout = "rollout: {pilot: [{n: a}, {n: c}]}\nmessage: '{{ n }}'"
    (wrong,) = expanded(f"forEach: {{n: [a, b]}}\n{rollout}").findings
    assert (wrong.code, wrong.case, wrong.is_error) == (Code.INVALID_MATCHER, "pilot", True)
    (wrong,) = expanded(f"forEach: {{n: [a, c], exclude: [{{n: c}}]}}\n{rollout}").findings
    assert (wrong.case, wrong.is_error) == ("pilot", True)
    assert expanded(f"forEach: {{n: [], atLeast: 0}}\n{rollout}").findings == []


def test_a_whole_number_may_be_written_with_an_exponent() -> None:
    """YAML reads it as a float, but a limit must be a whole number of tasks."""
    rollout = "rollout: {pilot: 1e0, atOnce: 2e0, stopAfter: 3.0}"
    made = expanded(f"forEach: {{n: [a, b], atMost: 1e3, atLeast: 1.0}}\n{rollout}\nmessage: x")
    for origin in made.origins.values():
        assert origin.rollout is not None
        assert (
            "." not in f"{origin.rollout.at_once}{origin.rollout.stop_after}{origin.rollout.pilot}"
        )
    few = expanded("forEach: {s: [a], atLeast: 2.0}\nmessage: x").findings
    assert few[0].facts["limit"] == 2
    assert "." not in str(few[0].facts["limit"])


FILE = "forEach: {stack: {file: stacks.csv}}"


@pytest.mark.parametrize(
    ("entry", "code", "case"),
    [
        ("forEach: {s: {file: ragged.csv}}", Code.INVALID_DATA, "ragged"),
        ("forEach: {s: [a, null]}", Code.INVALID_DATA, "null"),
        ("forEach: {s: {file: twice.csv}}", Code.DUPLICATE_GENERATED_KEY, ""),
        ("forEach: {s: [a, A]}", Code.DUPLICATE_GENERATED_KEY, "case"),
        (f"{FILE}\norgName: 'a-{{{{ stack.owner }}}}'", Code.INVALID_TEMPLATE, "organization"),
        ("every: day\norgName: '{{ previous.name }}'", Code.INVALID_TEMPLATE, "organization"),
        ("forEach: {s: [a]}\nexpect: {data: '{{ s }}'}", Code.INVALID_TEMPLATE, "place"),
        ("forEach: {s: {file: odd.csv}}", Code.INVALID_GENERATED_KEY, ""),
        ("forEach: {s: [{id: 1}]}", Code.INVALID_GENERATED_KEY, "missing"),
        (f"forEach: {{s: [{'x' * 130}]}}", Code.INVALID_GENERATED_KEY, "long"),
        ("forEach: {s: [a, b], atMost: 1}", Code.TOO_MANY_TASKS, ""),
        ("forEach: {s: [a], exclude: [{s: a}]}", Code.TOO_FEW_TASKS, ""),
        ("forEach: {s: [a], exclude: [{r: a}]}", Code.INVALID_MATCHER, "axis"),
        ("forEach: {s: [{name: a}], exclude: [{s: {nam: a}}]}", Code.INVALID_MATCHER, "field"),
        ("forEach: {s: [a], exclude: [{s: b}]}", Code.INVALID_MATCHER, "idle"),
        ("forEach: {s: [a]}\nname: '{{ t }}'", Code.INVALID_TEMPLATE, "unknown"),
        ("forEach: {stack: [a]}\nname: '{{ stak }}'", Code.INVALID_TEMPLATE, "unknown-similar"),
        ("every: month\nname: '{{ month }}'", Code.INVALID_TEMPLATE, "unknown-similar"),
        ("forEach: {stack: [a]}\nname: '{{ month }}'", Code.INVALID_TEMPLATE, "unknown"),
        ("forEach: {s: [{name: a}]}\nname: '{{ s }}'", Code.INVALID_TEMPLATE, "mapping-similar"),
        ("forEach: {s: [a]}\nkey: '{{ s | lower }}'", Code.INVALID_TEMPLATE, "malformed"),
        ("forEach: {s: [a]}\nname: '{{ period.name }}'", Code.INVALID_TEMPLATE, "unknown"),
        ("every: day\ntimezone: Europe/Belin", Code.INVALID_RECURRENCE, "timezone"),
        ("every: day\nfrom: tomorrow", Code.INVALID_RECURRENCE, "date"),
    ],
)
def test_invalid_entries_are_reported(entry: str, code: Code, case: str) -> None:
    assert (code, case) in found(expanded(f"{entry}\nmessage: do it"))


def test_all_entries_together_generate_a_limited_number_of_tasks() -> None:
    room = Room(tasks=5)
    three = "forEach: {n: [1, 2, 3], exclude: [{n: 3}]}\nmessage: x"
    assert found(expanded(three, room=room)) == []
    assert found(expanded(three, room=room)) == [(Code.TOO_MANY_TASKS, "run")]
    assert found(expanded("forEach: {n: [1, 2]}\nmessage: x", room=room)) == []
    every = "every: day\nforEach: {n: [1, 2, 3, 4]}\nmessage: x"
    assert found(expanded(every, room=Room(tasks=4))) == []
    assert found(expanded(every, room=Room(tasks=3))) == [(Code.TOO_MANY_TASKS, "run")]
    not_due = expanded(f'{every}\nfrom: "2026-12-01"', room=Room(tasks=3))
    assert found(not_due) == [(Code.TOO_MANY_TASKS, "run")]


def test_all_entries_together_generate_a_limited_amount_of_text() -> None:
    entry = "forEach: {n: [1, 2]}\nmessage: {content: '{{ n }}', x: ['{{ n }}']}\nname: xy"
    size = sum(len(encode_json((task, {"n": "1"}))) for task in expanded(entry).tasks.values())
    assert found(expanded(entry, room=Room(bytes=size))) == []
    assert found(expanded(entry, room=Room(bytes=size - 1))) == [(Code.TOO_MANY_TASKS, "size")]


def test_a_large_product_is_rejected_before_it_is_built() -> None:
    many = ", ".join(map(str, range(1000)))
    entry = f"forEach: {{a: [{many}], b: [{many}], c: [{many}], atMost: 20000}}\nmessage: x"
    assert found(expanded(entry)) == [(Code.TOO_MANY_TASKS, "")]


words = st.text("abcdefghij", min_size=1, max_size=6)


@given(st.lists(words, unique=True, min_size=1, max_size=8), st.randoms(), words)
def test_other_rows_never_change_a_task(values: list[str], shuffle: Any, more: str) -> None:
    """Permuting, inserting and removing rows leaves every other key and prompt unchanged."""

    def tasks(rows: list[str]) -> dict[str, Any]:
        listed = ", ".join(f"'{row}'" for row in rows)
        return expanded(f"forEach: {{s: [{listed}]}}\nmessage: do {{{{ s }}}}").tasks

    before = tasks(values)
    moved = [*values, *([] if more in values else [more])]
    shuffle.shuffle(moved)
    after = tasks(moved)
    assert {key: after[key] for key in before} == before
    fewer = values[1:]
    if fewer:
        assert tasks(fewer) == {k: v for k, v in before.items() if k != f"job@{values[0]}"}


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_trigger_at_any_time_of_a_month_generates_the_same_key(hour: int, minute: int) -> None:
    for day in (1, 15, 30):
        now = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        assert list(expanded("every: month\nmessage: x", now).tasks) == ["job@2026-11"]
