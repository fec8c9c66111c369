"""Entries of many rows, one of which changes or violates a policy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.manifest.loader import load
from reconciler.model.canonical import digest
from reconciler.model.task import DesiredTask
from reconciler.plan.plan import Action
from reconciler.state.model import Record
from tests.support.plan_values import ME, ago, facts, plan, remote, state

ENTRIES, ROWS = 10, 1_000


def write(folder: Path) -> None:
    (folder / "tasks").mkdir()
    entries = []
    for number in range(ENTRIES):
        rows = "".join(f"row-{row},owner-{row}\n" for row in range(ROWS))
        (folder / f"rows-{number}.csv").write_text(f"name,owner\n{rows}")
        entries.append(
            f"  entry-{number}:\n"
            f"    forEach: {{row: {{file: ../rows-{number}.csv}}}}\n"
            f'    message: "{number}: ask {{{{ row.owner }}}} about {{{{ row.name }}}}"\n'
        )
    text = "version: 1\norgName: acme\ntasks:\n" + "".join(entries)
    (folder / "tasks" / "all.yaml").write_text(text)


def record(task: DesiredTask) -> Record:
    made = digest(task.inputs)
    return Record(
        ref=task.ref,
        task_id=f"id-{task.key}",
        file=task.file,
        inputs=task.inputs,
        digest=made,
        identity=ME,
        created_at=ago(days=1),
        generated=task.generated,
    )


def test_one_changed_row_is_one_change(tmp_path: Path) -> None:
    write(tmp_path)
    records = [record(task) for task in load((), root=tmp_path).tasks]
    assert len(records) == ENTRIES * ROWS
    data = tmp_path / "rows-7.csv"
    data.write_text(data.read_text().replace("row-345,owner-345\n", "row-345,somebody\n"))
    manifests = load((), root=tmp_path)
    seen = facts([remote(known.task_id) for known in records])
    found = plan(manifests.tasks, state(records), seen)
    assert found.summary()[Action.UNCHANGED] == ENTRIES * ROWS - 1
    (changed,) = (task for task in found.tasks if task.action is not Action.UNCHANGED)
    assert (changed.action, changed.ref.key) == (Action.CHANGED, "entry-7@row-345")
    assert [change.path for change in changed.diff] == ["message.content"]


def test_a_policy_is_checked_for_each_generated_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A violation of some rows is reported for each row, one of all rows only once."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "rows.csv").write_text("name,does\na,read\nb,delete\nc,read\nd,delete\n")
    entry = "{forEach: {row: {file: ../rows.csv}}, message: '{{ row.does }} it, {{ row.name }}'}"
    text = f"version: 1\norgName: acme\ntasks:\n  t: {entry}\n"
    (tmp_path / "tasks" / "all.yaml").write_text(text)
    (tmp_path / "taskctl.toml").write_text('policy = "policy.yaml"')
    for rule, rows in (("delete", [3, 5]), ("it", [2])):
        content = {"not": {"pattern": rule}}
        policy = {"properties": {"message": {"properties": {"content": content}}}}
        (tmp_path / "policy.yaml").write_text(json.dumps(policy))
        assert run(["validate", "--format", "json", "-C", str(tmp_path)]) == 1
        problems = json.loads(capsys.readouterr().out)["diagnostics"]
        assert [d["code"] for d in problems] == ["TC501"] * len(rows)
        assert [d["line"] for d in problems] == [4] * len(rows)
        assert [d["related"] for d in problems] == [[{"file": "rows.csv", "line": r}] for r in rows]


def test_rows_that_are_not_listed_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"row-{row},owner-{row}\n" for row in range(ROWS))
    Path("rows.csv").write_text(f"name,owner\n{rows}")
    Path("a.tasks.yaml").write_text(
        "version: 1\norgName: acme\ntasks:\n  each:\n    forEach: {row: {file: rows.csv}}\n"
        '    message: "Ask {{ row.owner }} about {{ row.name }}"\n'
    )
    assert run(["plan", "--backend", "local"]) == 0
    shown = capsys.readouterr().out
    left_out = int(re.findall(r"… and (\d+) more; -v lists each task", shown)[0])
    assert shown.count("owner-") + left_out == ROWS


@pytest.mark.parametrize("orgs", [("acme", "acme"), ("acme", "other")])
def test_an_entry_belongs_to_one_file_of_an_organization(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], orgs: tuple[str, str]
) -> None:
    (tmp_path / "tasks").mkdir()
    for name, org in zip(("one", "two"), orgs, strict=True):
        entry = {"forEach": {"row": [f"{name}-a", f"{name}-b"]}, "message": "Do {{ row }}."}
        manifest = {"version": 1, "orgName": org, "tasks": {"up": entry}}
        (tmp_path / "tasks" / f"{name}.yaml").write_text(json.dumps(manifest))
    code = run(["validate", "-C", str(tmp_path), "--format", "json"])
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    is_one = len(set(orgs)) == 1
    assert (code, [item["code"] for item in found]) == ((1, ["TC301"]) if is_one else (0, []))
    assert not is_one or found[0]["file"] == "tasks/two.yaml"
