"""Entries in manifests: expanded from data files, checked as tasks, and reported with their
rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest.loader import Manifests
from reconciler.manifest.loader import load as load_all
from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.task import text_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STACKS = "name,owner,mode\nnetwork,platform,auto\ndata,analytics,manual\nlegacy,nobody,balanced\n"


def load(
    folder: Path,
    tasks: str,
    *,
    now: datetime = NOW,
    head: str = "",
    files: dict[str, str] | None = None,
) -> Manifests:
    """Loads `tasks/a.yaml`, whose tasks are the YAML `tasks`, next to `data/stacks.csv`."""
    for name, text in {"data/stacks.csv": STACKS, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "tasks").mkdir(exist_ok=True)
    body = "\n".join(f"  {line}" for line in tasks.strip("\n").splitlines())
    (folder / "tasks/a.yaml").write_text(f"version: 1\n{head}tasks:\n{body}\n", encoding="utf-8")
    return load_all((), root=folder, now=lambda: now)


def told(found: Manifests) -> list[tuple[Any, ...]]:
    """The code, case, line and row of each problem."""
    return [
        (d.code, d.case, d.line, str(d.at.row) if d.at.row else None) for d in found.diagnostics
    ]


ROTATE = """
rotate:
  forEach:
    stack: {file: ../data/stacks.csv}
    region: [eu, 1.10]
    exclude: [{stack: {name: legacy}}]
  key: "{{ stack.name }}-{{ region }}"
  rollout: {pilot: 1}
  role: "{{ stack.owner }}"
  approvalMode: "{{ stack.mode }}"
  isShared: true
  message: Rotate {{ stack.name }} in {{ region }}.
"""


def test_an_entry_becomes_tasks(tmp_path: Path) -> None:
    found = load(tmp_path, ROTATE)
    assert not found.diagnostics
    assert [
        (t.key, t.inputs["role"], t.inputs["approvalMode"], text_of(t.inputs), t.line)
        for t in found.tasks
    ] == [
        ("rotate@network-eu", "platform", "auto", "Rotate network in eu.", 3),
        ("rotate@network-1.10", "platform", "auto", "Rotate network in 1.10.", 3),
        ("rotate@data-eu", "analytics", "manual", "Rotate data in eu.", 3),
        ("rotate@data-1.10", "analytics", "manual", "Rotate data in 1.10.", 3),
    ]
    first = found.tasks[0]
    assert first.generated is not None
    assert first.origin is not None
    assert first.generated.values["stack.name"] == "network"
    assert (first.origin.row_file, first.origin.row_line) == ("data/stacks.csv", 2)
    assert first.origin.rollout is not None
    assert first.origin.rollout.pilot == 1


def test_only_recurring_entries_read_the_clock(tmp_path: Path) -> None:
    load(tmp_path, ROTATE)

    def never() -> datetime:
        pytest.fail("nothing recurs")

    assert len(load_all((), root=tmp_path, now=never).tasks) == 4
    found = load(tmp_path, "review:\n  every: month\n  message: of {{ previous.name }}")
    assert [task.key for task in found.tasks] == ["review@2026-11"]
    assert found.due == {("tasks/a.yaml", "review"): "2026-11"}


def test_defaults_apply_and_generated_tasks_are_validated(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        job:
          forEach: {stack: {file: ../data/stacks.csv}}
          message: do {{ stack.name }}
          permissionMode: "{{ stack.mode }}"
          role: "{{ stack.owner }} x"
        """.replace("\n        ", "\n"),
        head="defaults: {isShared: true}\n",
    )
    assert told(found) == [
        (Code.INVALID_VALUE, "choice", 7, "data/stacks.csv:2"),
        (Code.INVALID_VALUE, "choice", 7, "data/stacks.csv:3"),
        (Code.INVALID_VALUE, "choice", 7, "data/stacks.csv:4"),
        (Code.INVALID_VALUE, "pattern", 8, "data/stacks.csv:2"),
        (Code.INVALID_VALUE, "pattern", 8, "data/stacks.csv:3"),
        (Code.INVALID_VALUE, "pattern", 8, "data/stacks.csv:4"),
    ]
    assert found.diagnostics[0].key == "job@network"
    assert word(found.diagnostics[0]).summary.startswith("tasks.job.permissionMode: ")
    assert word(found.diagnostics[0]).summary.endswith(" (data/stacks.csv:2)")


def test_the_same_problem_of_all_tasks_is_reported_once(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "job:\n  forEach: {n: [a, b, c]}\n  message: {{content: 'same', entity_diff: {{add: "
        "[{{type: stack, name: '  ', project: p}}]}}}}".replace("{{", "{").replace("}}", "}"),
    )
    assert told(found) == [(Code.EMPTY_VALUE, "entity", 5, "tasks/a.yaml:4")]


@pytest.mark.parametrize(
    ("entry", "files", "expected"),
    [
        ("forEach: {s: {file: ../data/no.csv}}", {}, (Code.UNREADABLE_FILE, "missing", 4, None)),
        (
            "forEach: {s: {file: ../../x.csv}}",
            {},
            (Code.OUTSIDE_REPOSITORY, "prompt-directory", 4, None),
        ),
        ("forEach: {s: {file: ../.git/x}}", {}, (Code.OUTSIDE_REPOSITORY, "prompt-git", 4, None)),
        ("forEach: {s: {file: /etc/passwd}}", {}, (Code.INVALID_VALUE, "pattern", 4, None)),
        (
            "forEach: {s: {file: ../data/r.csv}}",
            {"data/r.csv": "a,b\n1\n"},
            (Code.INVALID_DATA, "ragged", 4, "data/r.csv:2"),
        ),
        (
            "forEach: {s: {file: ../data/r.yaml}}",
            {"data/r.yaml": "- a\n- {b: [\n"},
            (Code.INVALID_YAML, "value", 4, "data/r.yaml:3"),
        ),
        (
            "forEach: {s: {file: ../data/r.json}}",
            {"data/r.json": "[1,\n]"},
            (Code.INVALID_YAML, "json", 4, "data/r.json:2"),
        ),
        (
            "forEach: {s: {file: ../data/r.json}}",
            {"data/r.json": '[1,\n{"a": 1, "a": 2}]'},
            (Code.DUPLICATE_KEY, "", 4, "data/r.json:2"),
        ),
        (
            "forEach: {s: {file: ../data/r.txt}}",
            {"data/r.txt": "a\nb\x07\n"},
            (Code.INVALID_CHARACTER, "", 4, "data/r.txt:2"),
        ),
        (
            "forEach: {s: {file: ../data/r.csv}}",
            {"data/r.csv": "name\n" + "x" * 1024 * 1024},
            (Code.FILE_TOO_LARGE, "data", 4, "data/r.csv:1"),
        ),
        (
            "forEach: {s: {file: ../data/r.csv}}\n  key: 'x{{ s.b }}'",
            {"data/r.csv": "a,b\n1,\n"},
            (Code.INVALID_GENERATED_KEY, "empty", 5, "data/r.csv:2"),
        ),
        (
            "forEach: {s: {file: ../data/r.yaml}}\n  name: '{{ s.b }}'",
            {"data/r.yaml": "- {name: a, b: 1}\n- {name: b}\n"},
            (Code.INVALID_TEMPLATE, "lacking", 5, "data/r.yaml:2"),
        ),
        ("forEach: {s: ['{{ t }}']}", {}, (Code.INVALID_TEMPLATE, "place", 4, None)),
        ("forEach: {atMost: 3}", {}, (Code.MISSING_PROPERTY, "axis", 4, None)),
        ("forEach: {period: [a]}", {}, (Code.INVALID_VALUE, "pattern", 4, None)),
        ("forEach: {s: [a]}\n  overlap: wait", {}, (Code.MISSING_PROPERTY, "every", 3, None)),
        ("every: day\n  key: x", {}, (Code.MISSING_PROPERTY, "forEach", 3, None)),
        ("every: fortnight", {}, (Code.INVALID_VALUE, "choice", 4, None)),
        ("rollout: {pilot: 1}", {}, (Code.UNKNOWN_PROPERTY, "entry", 4, None)),
        ("outputs: {a: b}", {}, (Code.UNKNOWN_PROPERTY, "results", 4, None)),
        (
            "forEach: {s: [a]}\n  rollout: {pilots: 1}",
            {},
            (Code.UNKNOWN_PROPERTY, "similar", 5, None),
        ),
        ("forEach: {s: [a]}\n  rollout: {atOnce: 0}", {}, (Code.INVALID_VALUE, "minimum", 5, None)),
        ("forEach: {s: [a]}\n  planMode: '{{ s }}'", {}, (Code.WRONG_TYPE, "", 5, None)),
        ("forEach: {s: [a]}\n  name: {{ s }}", {}, (Code.INVALID_KEY, "template", 5, None)),
    ],
)
def test_invalid_entries_are_reported(
    tmp_path: Path, entry: str, files: dict[str, str], expected: tuple[Any, ...]
) -> None:
    found = load(tmp_path, f"job:\n  {entry}\n  message: do it", files=files)
    assert expected in told(found)


def test_a_link_out_of_the_repository_is_not_read_as_data(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("name\nsecret\n", encoding="utf-8")
    inside = tmp_path / "repository"
    (inside / "data").mkdir(parents=True)
    (inside / "data/link.csv").symlink_to(outside)
    found = load(inside, "job:\n  forEach: {s: {file: ../data/link.csv}}\n  message: x")
    assert told(found) == [(Code.OUTSIDE_REPOSITORY, "prompt-directory", 4, None)]


def test_prompts_in_files_are_templates(tmp_path: Path) -> None:
    files = {"tasks/p.md": "Do {{ stack.name }} of {{ stack.owner }}.\n"}
    entry = "job:\n  forEach: {stack: {file: ../data/stacks.csv}}\n  message: {contentFile: p.md}"
    found = load(tmp_path, entry, files=files)
    assert not found.diagnostics
    assert [text_of(task.inputs) for task in found.tasks][:2] == [
        "Do network of platform.\n",
        "Do data of analytics.\n",
    ]
    wrong = load(tmp_path, entry, files={"tasks/p.md": "Do\n{{ stack.nam }}.\n"})
    (problem,) = wrong.diagnostics
    assert (problem.code, problem.file, problem.line) == (Code.INVALID_TEMPLATE, "tasks/p.md", 2)


def test_a_prompt_file_can_name_the_period(tmp_path: Path) -> None:
    entry = "job:\n  every: month\n  message: {contentFile: p.md}"
    found = load(tmp_path, entry, files={"tasks/p.md": "Do {{ period.name }}.\n"})
    assert [text_of(task.inputs) for task in found.tasks] == ["Do 2026-11.\n"]


def test_templates_outside_entries_are_text_with_a_warning(tmp_path: Path) -> None:
    found = load(tmp_path, "plain:\n  message: do {{ stack.name }}, not {{ .Values }}")
    assert told(found) == [(Code.INVALID_TEMPLATE, "text", 4, None)]
    assert len(found.tasks) == 1
    defaults = "defaults: {name: '{{ n }}'}\n"
    found = load(tmp_path, "plain:\n  message: x", head=defaults)
    assert told(found) == [(Code.INVALID_TEMPLATE, "text", 2, None)]
    found = load(tmp_path, "job:\n  forEach: {n: [a]}\n  message: '{{ n }}'", head=defaults)
    assert told(found) == [(Code.INVALID_TEMPLATE, "place", 2, None)]


def test_an_entry_with_an_error_does_not_hide_other_problems(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "job:\n  forEach: {s: {file: ../data/no.csv}}\n  message: x\nother:\n  mesage: y",
    )
    assert [d.code for d in found.diagnostics] == [
        Code.UNREADABLE_FILE,
        Code.UNKNOWN_PROPERTY,
    ]


def test_json_data_may_have_characters_that_json_writes_as_two(tmp_path: Path) -> None:
    entry = "job:\n  forEach: {n: {file: ../data/r.json}}\n  key: a\n  message: Say {{ n }}."
    found = load(tmp_path, entry, files={"data/r.json": json.dumps(["\U0001f600"])})
    assert not found.diagnostics
    assert text_of(found.tasks[0].inputs) == "Say \U0001f600."


def test_data_files_next_to_manifests_are_not_manifests(tmp_path: Path) -> None:
    files = {"tasks/n.data.yaml": "- a\n- b\n"}
    entry = "job:\n  forEach: {n: {file: n.data.yaml}}\n  message: 'do {{ n }}'"
    found = load(tmp_path, entry, files=files)
    assert (found.files, [task.key for task in found.tasks]) == (
        ("tasks/a.yaml",),
        ["job@a", "job@b"],
    )


def test_moved_tasks_may_have_generated_keys(tmp_path: Path) -> None:
    found = load(tmp_path, "new:\n  message: x\n  movedFrom: rotate@Network/eu@2026-11")
    assert not found.diagnostics
    assert found.tasks[0].moved_from == "rotate@Network/eu@2026-11"
    assert told(load(tmp_path, "new:\n  message: x\n  movedFrom: 'a@'"))[0][:2] == (
        Code.INVALID_VALUE,
        "pattern",
    )
    assert told(load(tmp_path, "'a@b':\n  message: x"))[0][:2] == (Code.INVALID_VALUE, "pattern")


def test_a_problem_of_an_entry_without_rows_names_no_row(tmp_path: Path) -> None:
    found = load(
        tmp_path, 'e: {every: month, from: "2025-01-01", message: "TODO {{ period.name }}"}'
    )
    assert told(found) == [(Code.PLACEHOLDER, "", 3, None)]
