"""Many problems of one kind: the first hundred, and a count of the rest, in every format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.model import limits

ROOT = Path(__file__).resolve().parents[2]
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
def test_every_format_counts_the_rest(
    shown: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "--format", shown]) == 1
    limited = capsys.readouterr().out
    assert "150 more" in limited
    assert run(["validate", "--format", shown, "--all-problems"]) == 1
    assert "150 more" not in capsys.readouterr().out
    if shown == "json":
        assert len(json.loads(limited)["diagnostics"]) == 101
        assert json.loads(limited)["summary"]["errors"] == TASKS


def test_a_failed_plan_counts_all_of_them(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--backend", "local", "--format", "markdown"]) == 1
    assert capsys.readouterr().out.startswith(f"### Failed: {TASKS} errors\n")


def test_all_problems_can_be_shown(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--all-problems"]) == 1
    said = capsys.readouterr()
    assert said.err.count("[TC203]") == TASKS
    assert "TC830" not in said.err


def test_warnings_are_counted_too(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(manifest.read_text().replace("planMode: on, ", "").replace("Job", "TODO"))
    assert run(["validate", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["diagnostics"]) == 101
    assert document["diagnostics"][-1]["code"] == "TC830"


def test_many_invalid_keys_take_little_memory(manifest: Path) -> None:
    lines = [f"  T {n}: {{message: Job {n}., name: x, isShared: true}}\n" for n in range(4000)]
    manifest.write_text("version: 1\ntasks:\n" + "".join(lines))
    script = (
        "import resource, sys; from reconciler.cli.main import run\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "sys.exit(run(['validate']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=manifest.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "4,000 errors in 1 file.\n"
    assert ended.returncode == 1


@pytest.mark.parametrize(
    "task", ["T {n}: {{message: x}}", "t{n}: {{message: x, <<: 1}}", "t1: {{message: x}}"]
)
def test_after_very_many_errors_the_rest_of_a_file_is_not_checked(
    task: str,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(limits, "FILE_ERRORS", 30)
    for most in (30, 31):
        numbers = range(most + ("{n}" not in task))
        tasks = [task.format(n=n) for n in numbers]
        manifest.write_text("version: 1\ntasks:\n" + "".join(f"  {each}\n" for each in tasks))
        assert run(["validate", "--format", "json"]) == 1
        found = json.loads(capsys.readouterr().out)
        codes = [d["code"] for d in found["diagnostics"]]
        assert len(codes) == most
        assert codes.count("TC118") == most - 30


def test_after_very_many_warnings_only_errors_are_reported(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limits, "FILE_ERRORS", 30)
    last = "  last: {message: Job., permissionMode: read-only}\n"
    manifest.write_text(manifest.read_text().replace("planMode: on, ", "") + last)
    rule = {"required": ["role", "name"], "severity": "warning"}
    policy = {"allOf": [rule, {"properties": {"permissionMode": False}}]}
    Path("policy.json").write_text(json.dumps(policy))
    Path("taskctl.toml").write_text('policy = "policy.json"\n')
    assert run(["validate", "--all-problems", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [d["code"] for d in found if d["severity"] == "error"] == ["TC501"]
    codes = [d["code"] for d in found if d["severity"] == "warning"]
    assert codes == ["TC118", *["TC501"] * 32]  # all of a task
