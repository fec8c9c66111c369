"""Formatted entries generate the same tasks in the same order, with values as written."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest.expand.entries import expand
from reconciler.manifest.expand.expansion import Room
from reconciler.manifest.expand.rows import Row, rows_of_file
from reconciler.manifest.fmt import format_manifest
from reconciler.manifest.parse.nodes import read_nodes
from reconciler.manifest.parse.source import read_source
from tests.support.manifest_layouts import behind, gaps

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CSV = "name,owner\nnetwork,platform\ndata,analytics\n"

BEFORE = dedent("""\
    version: 1
    tasks:
        rotate:
            forEach:   # two axes
                stack:    {file: ../data/stacks.csv}   # rows
                version:
                -  1.10
                # the old one
                -   010
                -    "x y"
                exclude:
                - {stack: {name: legacy},version: 010}
                atMost:   200
            rollout: {pilot:  2,atOnce: 10 , stopAfter: 1}
            key:   "{{ stack.name }}-{{version}}"
            message: |
                Rotate   {{ stack.name }}   ({{stack.owner}})

                  - to {{ version }}, {{ "{{" }} stays.
        review:
            every:   month
            from:   "2026-11-01"
            message: >-
                What did {{ previous.name }}
                cost?
    """)

AFTER = dedent("""\
    version: 1
    tasks:
      rotate:
        forEach:   # two axes
          stack: {file: ../data/stacks.csv}      # rows
          version:
            - 1.10
            # the old one
            - 010
            - "x y"
          exclude:
            - {stack: {name: legacy}, version: 010}
          atMost: 200
        rollout: {pilot: 2, atOnce: 10, stopAfter: 1}
        key: "{{ stack.name }}-{{version}}"
        message: |
          Rotate   {{ stack.name }}   ({{stack.owner}})

            - to {{ version }}, {{ "{{" }} stays.
      review:
        every: month
        from: "2026-11-01"
        message: >-
          What did {{ previous.name }}
          cost?
    """)


def formatted(text: str) -> str:
    found = format_manifest(text.encode(), "tasks/a.yaml")
    assert found.content is not None, found.diagnostics
    return found.content.decode()


def test_an_entry_in_canonical_form() -> None:
    assert formatted(BEFORE) == AFTER
    assert formatted(AFTER) == AFTER


AXES = {
    "stack": [" {file: stacks.csv}", "  { file:   stacks.csv }"],
    "region": [" [eu,us]", " [ 1.10 , 010,'us' ]", "\n{pad}- eu\n{pad}-    1_000", " [no]"],
    "size": [" [{name: s,cpu: 1.0}, {name:  l , cpu: 2}]", "\n{pad}- name: s\n{pad}  cpu: 1.0"],
}
SETTINGS = [
    'key:   "{{ stack.name }}-{{ region }}-{{size.name}}"',
    "name:   'For   {{ region }}'",
    "rollout: {pilot:  1,atOnce: 2 }",
    "planMode:   true",
    "every:   month",
    'message: |\n{pad}  Go  to {{ region }}\n\n{pad}    {{size.cpu}} {{ "{{" }}',
]


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry with members and axes in any order, and comments and blank lines between them."""
    axes_at, at = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pad = "  " + " " * at
    inner = pad + " " * axes_at
    rows = []
    for axis in draw(st.permutations(list(AXES))):
        value = draw(st.sampled_from(AXES[axis])).replace("{pad}", inner + " ")
        rows.append(f"{draw(gaps())}{inner}{axis}:{value}{draw(behind())}\n")
    axes = f"{pad}forEach:{draw(behind())}\n{''.join(rows)}"
    members = [axes]
    for setting in SETTINGS:
        text = setting.replace("{pad}", pad)
        more = draw(behind()) if "|" not in text else ""
        members.append(f"{pad}{text}{more}\n")
    some = [f"{draw(gaps())}{member}" for member in draw(st.permutations(members))]
    return f"version: 1\ntasks:\n  job:\n{''.join(some)}"


def read(_: str) -> list[Row]:
    return rows_of_file("stacks.csv", CSV, lambda: None)


def generated(text: str) -> tuple[list[tuple[str, Any]], list[Any]]:
    """The tasks in order, with their values as written, and which of them are the pilot."""
    source = read_source(text.encode())
    assert not source.findings
    made = expand(
        "job", source.data["tasks"]["job"], read_nodes(source.events()), lambda: NOW, read, Room()
    )
    assert not made.findings
    origins = [(o.generated, o.is_pilot, o.rollout) for o in made.origins.values()]
    return list(made.tasks.items()), origins


@given(entries())
@settings(max_examples=100)
def test_an_entry_generates_the_same_tasks(text: str) -> None:
    """The order of the axes determines the order of the tasks, and a value is its text."""
    made = formatted(text)
    assert formatted(made) == made
    assert generated(made) == generated(text)
    assert made.count("#") == text.count("#")
