"""Links in a repository do not redirect writes, and file modes do not depend on the umask."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.cli.main import run

MANIFEST = {"version": 1, "orgName": "acme", "tasks": {"one": {"message": "do it"}}}
LOCAL = ["--backend", "local"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    (top / "tasks").mkdir()
    (top / "tasks/all.yaml").write_text(json.dumps(MANIFEST))
    monkeypatch.chdir(top)
    return top


def codes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    document = json.loads(capsys.readouterr().out)
    return [problem["code"] for problem in document["diagnostics"]]


def test_a_report_never_follows_a_link_out_of_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder.parent / "target"
    target.write_text("mine")
    (folder / "taskctl.xml").symlink_to(target)
    assert run(["validate", "--report", "junit=taskctl.xml"]) == 1
    assert "[TC116]" in capsys.readouterr().err
    assert target.read_text() == "mine"


def test_the_default_state_must_not_link_out_of_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-1")
    target = folder.parent / "profile"
    (folder / "taskctl.state.json").symlink_to(target)
    url = ["--backend", "http://127.0.0.1:9", "--format", "json"]
    assert run(["apply", "--yes", *url]) == 1
    assert codes(capsys) == ["TC116"]
    assert not target.exists()


def test_a_state_that_is_its_own_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "state.json").symlink_to("state.json")
    assert run(["apply", "--yes", *LOCAL, "--state", "state.json", "--format", "json"]) == 1
    # Since Python 3.13, a link to itself is resolved, and cannot be read.
    assert codes(capsys) in (["TC615"], ["TC601"])


def test_a_state_that_is_mounted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.state.local.is_mount_point", lambda _: True)
    assert run(["apply", "--yes", *LOCAL, "--format", "json"]) == 1
    assert codes(capsys) == ["TC615"]
    assert not (folder / "taskctl.state.json").exists()


def test_the_embedded_service_must_not_link_out_of_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / ".taskctl").symlink_to(outside)
    assert run(["plan", *LOCAL, "--format", "json"]) == 1
    assert codes(capsys) == ["TC116"]
    assert list(outside.iterdir()) == []


def test_modes_do_not_depend_on_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        assert run(["apply", *LOCAL, "--yes", "--report", "json=out/report.json"]) == 0
    finally:
        os.umask(before)
    assert (folder / "out/report.json").stat().st_mode & 0o777 == 0o600
    assert (folder / ".taskctl").stat().st_mode & 0o777 == 0o700


def test_inside_the_tasks_directory_the_error_names_the_root(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "tasks")
    assert run(["plan", *LOCAL]) == 1
    assert "taskctl plan -C .." in capsys.readouterr().err


def test_fail_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply", *LOCAL, "--yes", "--fail-on", "changed"]) == 0
    changed = {**MANIFEST, "tasks": {"one": {"message": "do it", "approvalMode": "auto"}}}
    (folder / "tasks/all.yaml").write_text(json.dumps(changed))
    capsys.readouterr()
    assert run(["plan", *LOCAL]) == run(["plan", *LOCAL, "--fail-on", "orphaned"]) == 0
    capsys.readouterr()
    for command in (["plan"], ["apply", "--yes"]):
        assert run([*command, *LOCAL, "--fail-on", "changed", "--format", "json"]) == 1
        assert codes(capsys) == ["TC825"]
