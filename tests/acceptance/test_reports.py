"""`--report FORMAT=FILE`: complete files in addition to the unchanged result."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.app.files import locator
from reconciler.cli.main import ExitHandler, run
from reconciler.manifest.repository import repository_root
from reconciler.model.diagnostics import TaskctlError
from reconciler.render import FORMATS
from tests.support.diagnostics import failed

GOOD = """\
version: 1
orgName: acme
tasks:
  rotate-iam-keys:
    message: Rotate them.
  cost-review:
    message: Review it.
"""
BAD = "version: 1\ntasks:\n  a:\n    message: x\n    source: nowhere\n"
FILES = {
    "text": "r.txt",
    "json": "r.json",
    "markdown": "r.md",
    "github": "r.log",
    "sarif": "r.sarif",
    "junit": "r.xml",
    "html": "r.html",
}
HEADS = {
    "text": "",
    "json": '{"formatVersion": 1,',
    "markdown": "### ",
    "github": "",
    "sarif": '{"$schema": ',
    "junit": "<?xml",
    "html": "<!DOCTYPE html>",
}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with manifests two directories down; the working directory is its root."""
    folder = tmp_path / "infra" / "agents" / "tasks"
    folder.mkdir(parents=True)
    (folder / "iam.yaml").write_text(GOOD)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "TASKCTL_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def every_report(prefix: str = "out/") -> list[str]:
    return [f"--report={name}={prefix}{file}" for name, file in FILES.items()]


def places(folder: Path) -> set[str]:
    """The paths in the reports for code hosts, from a directory with all reports."""
    sarif = json.loads((folder / "r.sarif").read_text())
    found = {
        location["physicalLocation"]["artifactLocation"]["uri"]
        for result in sarif["runs"][0]["results"]
        for location in result["locations"]
    }
    annotations = (folder / "r.log").read_text().splitlines()
    found |= {line.split("file=")[1].split(",")[0] for line in annotations if "file=" in line}
    suites = ET.fromstring((folder / "r.xml").read_text()).iter("testsuite")
    return found | {suite.get("name") or "" for suite in suites}


def test_all_reports_in_one_run_do_not_change_the_result(repository: Path, capsys: Capture) -> None:
    (repository / "infra/agents/tasks/bad.yaml").write_text(BAD)
    code = run(["validate", "-C", "infra/agents"])
    plain = capsys.readouterr()
    assert run(["validate", "-C", "infra/agents", *every_report()]) == code == 1
    assert capsys.readouterr() == plain
    out = repository / "infra" / "agents" / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES.values())
    for name, file in FILES.items():
        assert (out / file).read_text().startswith(HEADS[name])
    assert places(out) == {"infra/agents/tasks/bad.yaml", "infra/agents/tasks/iam.yaml"}
    assert "infra/agents/tasks/bad.yaml:5:" in (out / "r.md").read_text()
    assert "tasks/bad.yaml:5:" in (out / "r.txt").read_text()


def test_a_quiet_run_writes_the_same_files(repository: Path, capsys: Capture) -> None:
    for folder, options in (("loud", ()), ("quiet", ("--quiet",))):
        assert run(["validate", "infra", *options, *every_report(f"{folder}/")]) == 0
    assert capsys.readouterr().out.count("valid.") == 1
    for file in FILES.values():
        loud, quiet = (repository / folder / file for folder in ("loud", "quiet"))
        assert loud.read_text() == quiet.read_text(), file


def test_in_a_subfolder_paths_are_those_of_the_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "infra")
    (repository / "infra/agents/tasks/bad.yaml").write_text(BAD)
    assert run(["validate", "agents/tasks", *every_report()]) == 1
    assert places(Path("out")) == {"infra/agents/tasks/bad.yaml", "infra/agents/tasks/iam.yaml"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_report_can_be_the_result(repository: Path, capsys: Capture, name: str) -> None:
    assert run(["validate", "-C", "infra/agents", "--format", name]) == 0
    reported = capsys.readouterr()
    assert reported.err == ""
    assert reported.out.startswith(HEADS[name])
    assert run(["--format", name, "validate", "-C", "infra/agents"]) == 0
    assert capsys.readouterr() == reported


@pytest.mark.parametrize(
    "arguments",
    [
        ["--report", "json"],
        ["--report=github=-"],
        ["--report=json=/dev/stdout"],
        ["--report=json=a", "--report=html=a"],
        ["--report", "pdf"],
        ["--report", "json="],
    ],
)
def test_invalid_options_are_usage_errors(
    repository: Path, capsys: Capture, arguments: list[str]
) -> None:
    assert run(["validate", "-C", "infra/agents", *arguments]) == 1
    said = capsys.readouterr()
    assert "validate --help" in said.out + said.err
    assert list(repository.glob("**/a")) == []


def test_commands_without_a_report_have_no_further_formats(
    repository: Path, capsys: Capture
) -> None:
    assert run(["--format", "html", "state", "init", "--backend", "local"]) == 1
    assert "this command supports text or json" in capsys.readouterr().err
    assert run(["state", "list", "--backend", "local", "--report", "json=a"]) == 1


def test_plan_and_apply_write_reports(repository: Path, capsys: Capture) -> None:
    at = ["-C", "infra/agents", "--backend", "local"]
    out = repository / "infra/agents/out"
    assert run(["plan", *at, "--detailed-exitcode", *every_report()]) == 2
    assert "Plan: 2 to create" in capsys.readouterr().out
    assert (out / "r.md").read_text().startswith("### Plan for `acme` as ")
    assert "`infra/agents/tasks/iam.yaml:4`" in (out / "r.md").read_text()
    assert json.loads((out / "r.json").read_text())["summary"]["create"] == 2

    assert run(["apply", *at, "--yes", *every_report()]) == 0
    said = capsys.readouterr().out
    assert "Plan: 2 to create" in said
    assert "Apply: 2 created" in said
    assert json.loads((out / "r.json").read_text())["summary"]["created"] == 2
    assert (out / "r.md").read_text().startswith("### Apply: 2 created")
    assert places(out) == {"infra/agents/tasks/iam.yaml"}

    assert run(["plan", *at, "--detailed-exitcode", "--format=markdown"]) == 0
    assert "No changes." in capsys.readouterr().out


def test_an_unconfirmed_apply_writes_its_reports(repository: Path, capsys: Capture) -> None:
    at = ["-C", "infra/agents", "--backend", "local", "--report=json=r.json"]
    assert run(["apply", *at]) == 1
    (problem,) = json.loads((repository / "infra/agents/r.json").read_text())["diagnostics"]
    assert "cannot prompt for confirmation" in problem["summary"]
    assert "Plan: 2 to create" in capsys.readouterr().out


def test_a_failed_command_writes_its_reports(repository: Path, capsys: Capture) -> None:
    assert (
        run(["plan", "-C", "infra/agents", "--backend", "http://x.example", *every_report()]) == 1
    )
    said = capsys.readouterr()
    assert said.out == ""
    out = repository / "infra/agents/out"
    summary = json.loads((out / "r.json").read_text())["diagnostics"][0]["summary"]
    assert summary in said.err
    for file in ("r.txt", "r.md", "r.xml"):
        assert summary.split(":")[0] in (out / file).read_text()
    assert (out / "r.log").read_text().startswith("::error ")


@pytest.mark.parametrize("place", ["infra", "infra/agents/tasks/iam.yaml/r.json"])
def test_a_file_that_cannot_be_written_is_one_error_and_loses_nothing(
    repository: Path, capsys: Capture, place: str
) -> None:
    at = ["-C", ".", "infra/agents/tasks", "--backend", "local"]
    reports = [f"--report=json={place}", "--report=junit=r.xml"]
    assert run(["apply", *at, "--yes", *reports]) == 1
    said = capsys.readouterr()
    assert "Apply: 2 created" in said.out
    errors = [line for line in said.err.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"{place}: error: cannot write the json report: ")
    assert len(list(ET.parse(repository / "r.xml").iter("testcase"))) == 2
    assert run(["plan", *at, "--detailed-exitcode"]) == 0
    assert (repository / "infra/agents/tasks/iam.yaml").read_text() == GOOD
    leftover = list(repository.rglob("*.tmp"))
    assert leftover == []


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 1), (2, 1), (130, 130), (143, 143)])
def test_a_failed_write_does_not_hide_a_signal(before: int, after: int) -> None:
    ending = ExitHandler([])
    ending.code = before
    with ending:
        raise failed(TaskctlError, "cannot write the json report")
    assert ending.code == after


def test_a_failed_write_leaves_the_old_file(
    repository: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = repository / "r.json"
    old.write_text("old")

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert run(["validate", "infra/agents/tasks", "--report=json=r.json"]) == 1
    assert "cannot write the json report: No space left on device" in capsys.readouterr().err
    assert old.read_text() == "old"
    assert [path.name for path in repository.iterdir() if path.is_file()] == ["r.json"]


def test_links_are_kept_and_pipes_are_written_to(repository: Path) -> None:
    (repository / "kept").mkdir()
    (repository / "link.json").symlink_to("kept/real.json")
    assert run(["validate", "infra/agents/tasks", "--report=json=link.json"]) == 0
    assert (repository / "link.json").is_symlink()
    assert json.loads((repository / "kept/real.json").read_text())["valid"] is True

    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    assert run(["validate", "infra/agents/tasks", "--report=json=pipe"]) == 0
    reader.join()
    assert json.loads(read[0])["valid"] is True
    assert stat.S_ISFIFO((repository / "pipe").stat().st_mode)


def test_a_report_is_written_to_an_open_file(repository: Path) -> None:
    with (repository / "log").open("ab") as log:
        log.write(b"before\n")
        log.flush()
        assert run(["validate", "infra/agents/tasks", f"--report=json=/dev/fd/{log.fileno()}"]) == 0
    before, document = (repository / "log").read_text().split("\n", 1)
    assert (before, json.loads(document)["valid"]) == ("before", True)


def test_annotations_and_text_can_be_combined(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "infra/agents/tasks/bad.yaml").write_text(BAD)
    assert run(["validate", "infra/agents/tasks", "--report=github=/dev/stderr"]) == 1
    said = capfd.readouterr()
    assert said.out.startswith("1 error in 2 files.")
    assert "\n::error file=infra/agents/tasks/bad.yaml,line=5," in said.err


def test_paths_start_at_the_root_of_the_repository(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / ".git").write_text("gitdir: elsewhere\n")  # as in a linked work tree
    assert repository_root(top / "a" / "b") == top.resolve()
    locate = locator(top / "a")
    assert locate("b/x.yaml") == "a/b/x.yaml"
    assert locate("../y.yaml") == "y.yaml"
    assert locate(str(top / "a" / "x.yaml")) == "a/x.yaml"
    assert locate("../../outside.yaml") == "../../outside.yaml"
    (tmp_path / "link").symlink_to(top / "a")
    assert locator(tmp_path / "link")("x.yaml") == "a/x.yaml"
    assert locate(str(tmp_path / "link" / "x.yaml")) == "a/x.yaml"
