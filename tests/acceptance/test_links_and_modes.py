"""Links in a repository do not redirect writes, and file modes do not depend on the umask."""

from __future__ import annotations

import json
import os
import subprocess
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


def test_a_given_state_must_not_link_out_of_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever can commit the link would choose what is written."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "state").symlink_to(outside)
    given = ["--state", "state/a.state.json", "--format", "json"]
    assert run(["apply", "--yes", *LOCAL, *given]) == 1
    assert codes(capsys) == ["TC116"]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "case"), [(".env", "hidden"), ("secret.txt", "ignored"), (".secrets/a", "hidden")]
)
def test_a_manifest_must_not_link_to_a_file_that_is_not_shared(
    target: str, case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors would show names in it."""
    (folder / ".git").rmdir()
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    (folder / ".secrets").mkdir()
    (folder / ".gitignore").write_text("secret.txt\n")
    (folder / target).write_text("sesame: 1\nsesame: 2\n")
    (folder / "tasks/leak.yaml").symlink_to(folder / target)
    assert run(["validate"]) == 1
    shown = capsys.readouterr()
    assert "[TC116]" in shown.out + shown.err
    assert "sesame" not in shown.out + shown.err


def test_a_state_that_is_its_own_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "state.json").symlink_to("state.json")
    assert run(["apply", "--yes", *LOCAL, "--state", "state.json", "--format", "json"]) == 1
    # Since Python 3.13, a link to itself is resolved, and cannot be read.
    assert codes(capsys) in (["TC615"], ["TC601"])


@pytest.fixture
def chain(folder: Path) -> str:
    """The first of 1,500 links: more than Python follows."""
    for number in range(1_500):
        (folder / f"l{number}").symlink_to(f"l{number + 1}")
    (folder / "l1500").write_text("Do it.\n")
    return "l0"


def test_a_long_chain_of_links_to_a_prompt_is_an_error_at_its_path(
    folder: Path, chain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = f"tasks:\n  a:\n    message: {{contentFile: ../{chain}}}\n"
    (folder / "tasks/all.yaml").write_text(f"version: 1\norgName: acme\n{tasks}")
    assert run(["validate"]) == 1
    shown = capsys.readouterr().err
    assert "tasks/all.yaml:5:28: error" in shown
    assert "[TC101]" in shown
    assert "^^^^^\n" in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [(["validate"], "TC101"), (["fmt", "--check"], "TC101"), (["apply", "--state"], "TC615")],
)
def test_a_long_chain_of_links_on_the_command_line_is_an_error(
    chain: str, capsys: pytest.CaptureFixture[str], words: list[str], code: str
) -> None:
    more = ["--yes", *LOCAL] if words[0] == "apply" else []
    assert run([*words, chain, *more, "--format", "json"]) == 1
    assert codes(capsys) == [code]


def test_a_report_replaces_a_long_chain_of_links(folder: Path, chain: str) -> None:
    assert run(["validate", "--report", f"junit={chain}"]) == 0
    assert not (folder / chain).is_symlink()


def test_a_lock_that_cannot_be_opened(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "state.json.lock").mkdir()
    assert run(["apply", "--yes", *LOCAL, "--state", "state.json", "--format", "json"]) == 1
    assert codes(capsys) == ["TC610"]


def test_a_recorded_task_that_is_not_declared_is_not_accepted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["apply", "--yes", *LOCAL]) == 0
    capsys.readouterr()
    manifest = {**MANIFEST, "tasks": {"two": {"message": "do something else"}}}
    (folder / "tasks/all.yaml").write_text(json.dumps(manifest))
    assert run(["state", "accept", "one", *LOCAL, "--format", "json"]) == 1
    assert codes(capsys) == ["TC823"]


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


WRITERS = {
    "plan.taskctl": ["plan", *LOCAL, "--out", "plan.taskctl"],
    "report.json": ["validate", "--report", "json=report.json"],
    ".gitignore": ["init"],
    "taskctl.schema.json": ["init"],
    "tasks/more.yaml": ["import", "--mine", "--write", "tasks/more.yaml", *LOCAL],
    "own.db": ["plan", "--backend", "local:own.db"],
    ".taskctl/local.db": ["apply", "--yes", *LOCAL],
}
"""A file that each writer creates or replaces, and the command."""


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_is_written_through_a_link_to_a_file_outside(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, *, is_there: bool
) -> None:
    target = folder.parent / "target"
    if is_there:
        target.write_text("mine")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(target)
    code = run(WRITERS[name])
    said = capsys.readouterr()
    if is_there or code:  # `init` does not replace what is not there
        assert (code, "[TC116]" in said.err) == (1, True), said.err
    assert (target.read_text() if is_there else target.exists()) == ("mine" if is_there else False)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((n, WRITERS[n]) for n in ("plan.taskctl", "report.json", "tasks/more.yaml", "own.db")),
        (".taskctl/local.db", WRITERS[".taskctl/local.db"]),
        ("link/.gitignore", ["init", "link"]),
        (".github/workflows/taskctl-plan.yml", ["init", "--workflow"]),
        ("out/a/plan.taskctl", ["plan", *LOCAL, "--out", "out/a/plan.taskctl"]),
    ],
)
@pytest.mark.parametrize("inside_git", [False, True])
def test_nothing_is_written_through_a_link_to_a_directory_outside(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    command: list[str],
    *,
    inside_git: bool,
) -> None:
    """Outside is also `.git`, whose hooks git runs."""
    outside = folder / ".git/hooks" if inside_git else folder.parent / "outside"
    outside.mkdir()
    first, _, below = name.partition("/")
    if not below or first in ("tasks", "link"):
        first, below = "link", Path(name).name
        command = [word.replace(name, f"link/{below}") for word in command]
    (folder / first).symlink_to(outside)
    assert run(command) == 1
    assert "[TC116]" in capsys.readouterr().err
    assert list(outside.rglob("*")) == []


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
