"""Many problems of one kind: the first hundred, and a count of the rest, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.manifest import schema

TASKS = 250


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [
        f"  t{n}: {{message: Job {n}., planMode: on, approvalMode: manual}}\n" for n in range(TASKS)
    ]
    path = tmp_path / "many.tasks.yaml"
    path.write_text("version: 1\ntasks:\n" + "".join(lines))
    return path


def test_the_rest_is_counted(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate"]) == 1
    said = capsys.readouterr()
    rows = [row for row in said.err.splitlines() if not row.startswith(" ")]
    assert len(rows) == 101
    assert rows[-1].endswith("[TC830]")
    assert "150 more" in rows[-1]
    assert said.out == f"{TASKS} errors in 1 file.\n"


@pytest.mark.parametrize("shown", ["json", "sarif", "junit", "github"])
def test_in_every_format(shown: str, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--format", shown]) == 1
    limited = capsys.readouterr().out
    assert ("240 more" if shown == "github" else "150 more") in limited
    assert run(["validate", "--format", shown, "--all-problems"]) == 1
    assert "150 more" not in capsys.readouterr().out
    if shown == "json":
        assert len(json.loads(limited)["diagnostics"]) == 101
        assert json.loads(limited)["summary"]["errors"] == TASKS


def test_all_of_them(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--all-problems"]) == 1
    said = capsys.readouterr()
    assert said.err.count("[TC203]") == TASKS
    assert "TC830" not in said.err


def test_warnings_too(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(manifest.read_text().replace("planMode: on, ", ""))
    assert run(["validate", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["diagnostics"]) == 101
    assert document["diagnostics"][-1]["code"] == "TC830"


def test_invalid_tasks_need_no_slow_validator(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_reference", lambda: pytest.fail("not needed"))
    assert run(["validate", "-q"]) == 1
