"""`taskctl fmt` as called by users, hooks and CI."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from reconciler.cli.main import run

UGLY = "version:   1\ntasks:\n    a:\n        message: |\n            Do it.\n    # end\n"
GOOD = "version: 1\ntasks:\n  a:\n    message: |\n      Do it.\n  # end\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.yaml").write_text(UGLY)
    (tmp_path / "b.tasks.yaml").write_text(GOOD)
    return tmp_path


def test_files_are_rewritten_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt"]) == 0
    said = capsys.readouterr()
    assert said.out == "tasks/a.yaml\n"
    assert said.err == "1 file formatted, 1 file already formatted.\n"
    assert (folder / "tasks/a.yaml").read_text() == GOOD
    assert run(["fmt"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "2 files already formatted.\n")


def test_formatted_files_are_not_rewritten(folder: Path) -> None:
    before = (folder / "b.tasks.yaml").stat()
    assert run(["fmt", "-q"]) == 0
    after = (folder / "b.tasks.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_check_writes_nothing_and_sets_the_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fmt", "--check"]) == 1
    assert capsys.readouterr().out == "tasks/a.yaml\n"
    assert (folder / "tasks/a.yaml").read_text() == UGLY
    assert run(["fmt", "--check", "b.tasks.yaml"]) == 0


def test_the_mode_stays_and_links_are_refused(folder: Path) -> None:
    path, link = folder / "tasks/a.yaml", folder / "tasks/link.yaml"
    path.chmod(0o640)
    link.symlink_to("a.yaml")
    assert run(["fmt", "-q", "tasks/link.yaml"]) == 1
    assert path.read_text() != GOOD
    assert run(["fmt", "-q", "tasks/a.yaml"]) == 0
    assert link.is_symlink()
    assert os.name != "posix" or stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text() == GOOD
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.yaml", "link.yaml"]


def test_unreadable_files_are_reported_and_the_rest_formatted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tasks/bad.yaml").write_text("tasks: [\n")
    assert run(["fmt", "tasks", "none.yaml"]) == 1
    said = capsys.readouterr()
    assert said.out == "tasks/a.yaml\n"
    assert "tasks/bad.yaml:2:1: error: invalid YAML: " in said.err
    assert "[TC105]" in said.err
    assert "none.yaml: error: " in said.err
    assert "[TC101]" in said.err
    assert (folder / "tasks/bad.yaml").read_text() == "tasks: [\n"
    assert (folder / "tasks/a.yaml").read_text() == GOOD


def test_json_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tasks/bad.yaml").write_text("tasks: [\n")
    assert run(["fmt", "--check", "--format", "json"]) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.err == ""
    assert document["formatVersion"] == 1
    assert document["summary"] == {"changed": 1, "unchanged": 1}
    (problem,) = document["diagnostics"]
    assert (problem["file"], problem["line"]) == ("tasks/bad.yaml", 2)
    assert document["files"] == [
        {"file": "b.tasks.yaml", "changed": False},
        {"file": "tasks/a.yaml", "changed": True},
    ]


@pytest.mark.usefixtures("folder")
def test_quiet_prints_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt", "-q", "--check"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_written_is_unchanged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    def full(path: Path, data: bytes, **_more: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("reconciler.system.disk.replace_file", full)
    assert run(["fmt"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "tasks/a.yaml: error: manifest: cannot be written: No space left" in said.err
    assert (folder / "tasks/a.yaml").read_text() == UGLY
