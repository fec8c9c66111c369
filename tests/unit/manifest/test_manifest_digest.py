"""Whether two runs declare the same: what counts, and what does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reconciler.manifest.digest import declared_digest
from tests.unit.manifest.test_manifest_entries import NOW, STACKS, load

TASKS = """
plain:
  message: Do it
  entities: [{type: stack, project: iam, name: prod}]
review:
  forEach:
    stack: {file: ../data/stacks.csv}
  every: day
  from: "2026-11-20"
  rollout: {pilot: 1}
  message: {contentFile: ../data/prompt.md}
rows:
  forEach: {row: [a, b]}
  rollout: {pilot: 1}
  message: "Do {{ row }}"
"""
PROMPT = "Review {{ stack.name }} for {{ stack.owner }} on {{ period.name }}\n"


def digest_of(
    folder: Path,
    tasks: str = TASKS,
    *,
    now: datetime = NOW,
    scope: tuple[str, ...] = (),
    removed: str = "",
    stacks: str = STACKS,
    prompt: str = PROMPT,
) -> str:
    files = {"data/stacks.csv": stacks, "data/prompt.md": prompt}
    found = load(folder, tasks, now=now, head=f"orgName: acme\n{removed}", files=files)
    assert [d for d in found.diagnostics if d.severity == "error"] == []
    return declared_digest(found, scope)


def test_neither_a_new_period_nor_the_layout_of_files_counts(tmp_path: Path) -> None:
    first = digest_of(tmp_path)
    assert digest_of(tmp_path, now=NOW + timedelta(days=1)) == first
    assert digest_of(tmp_path, TASKS.replace("plain:", "# a comment\nplain:")) == first
    lines = TASKS.partition("rows:")
    assert digest_of(tmp_path, f"rows:{lines[2]}{lines[0]}") == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Do it", "Do that"),
        ("name: prod", "name: dev"),
        ("row: [a, b]", "row: [a]"),
        ("row: [a, b]", "row: [b, a, c]"),
        ('{pilot: 1}\n  message: "', '{pilot: 2}\n  message: "'),
        ("every: day", "every: week"),
        ("{pilot: 1}\n  message: {", "{pilot: 1, stopAfter: 2}\n  message: {"),
        ("Do it", "Do it\n  after: [rows]"),
        ("Do it", "Do it\n  movedFrom: old"),
        ("Do it", "Do it\n  expect: {pullRequests: 1}"),
        ("every: day", "every: day\n  expect: {pullRequests: 1}"),
        ("every: day", "every: day\n  after: [plain]"),
    ],
)
def test_what_is_declared_counts(tmp_path: Path, old: str, new: str) -> None:
    assert TASKS.count(old) >= 1
    assert digest_of(tmp_path, TASKS.replace(old, new, 1)) != digest_of(tmp_path)


def test_rows_prompts_removed_keys_and_paths_count(tmp_path: Path) -> None:
    found = {
        digest_of(tmp_path),
        digest_of(tmp_path, stacks=STACKS.replace("platform", "nobody")),
        digest_of(tmp_path, prompt=PROMPT.replace("Review", "Check")),
        digest_of(tmp_path, removed="removed: [gone]\n"),
        digest_of(tmp_path, scope=("tasks/a.yaml",)),
    }
    assert len(found) == 5
