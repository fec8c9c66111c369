"""The command as a process: imports, exit codes, signals, encodings, closed pipes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler import __version__
from reconciler.app.plan_file import is_plan_file, read_plan_file, write_plan_file
from reconciler.cli.main import COMMANDS
from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.value import replace
from reconciler.plan.codec import as_saved
from reconciler.render import view_of
from reconciler.render.document import dump
from tests.support.diagnostics import raises_with
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN

FAKE = """
import sys, types, signal
from reconciler.cli import main
from reconciler.cli.command import make_command
module = types.ModuleType("reconciler.cli.commands.try")
@make_command("try", examples=[])
def command(call):
    {body}
module.command = command
sys.modules[module.__name__] = module
main.COMMANDS["try"] = "Try."
main.run_process()
"""


def taskctl(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **(env or {})},
    )


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.taskctl"
    write_plan_file(tmp_path, path.name, PLAN)
    return path


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_behave_like_dev_null(closed: str, plan_file: Path) -> None:
    words = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "reconciler"]
    for arguments in (["--version"], ["explain", "TC101"], ["show", str(plan_file)]):
        ended = subprocess.run(
            [*words, *arguments],
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, b""), ended
        assert (ended.stdout == b"") == (" >&-" in f" {closed}")


def imported(*arguments: str) -> set[str]:
    """The modules imported by a run, without those of a bare interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from reconciler.cli.main import run\n"
        f"run({list(arguments)!r})\n"
        "sys.stdout.write('\\n' + ' '.join(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "line",
    [
        *("--help", "--version", "completion zsh", "schema plan", "explain", "explain TC101"),
    ],
)
def test_what_only_prints_imports_click_alone(line: str) -> None:
    """Such as `completion`, which starts with each shell."""
    modules = {name.partition(".")[0] for name in imported(*line.split())}
    others = modules - sys.stdlib_module_names - {"reconciler"}
    assert {name for name in others if not name.startswith("_")} == {"click"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_neither_its_use_case_nor_its_output(command: str) -> None:
    ours = {name.removeprefix("reconciler.") for name in imported(command, "--help")}
    used = ("app.", "cli.console.", "plan.", "remote.", "render.", "state.", "tasks.")
    assert not [name for name in ours - {"app.settings"} if name.startswith(used)]


@pytest.mark.parametrize("line", ["explain TC805", "schema", "completion bash"])
def test_what_only_prints_works_beside_an_invalid_configuration(line: str, tmp_path: Path) -> None:
    """`explain` is what the error about it suggests."""
    (tmp_path / "taskctl.toml").write_text("state = ")
    assert taskctl("validate", cwd=tmp_path).returncode == 1
    ran = taskctl(*line.split(), cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout


def test_show_imports_neither_network_nor_manifests(plan_file: Path) -> None:
    modules = {name.split(".")[0] for name in imported("show", str(plan_file))}
    assert not modules & {"requests", "urllib3", "deepdiff", "rich", "jsonschema", "ruamel"}


def test_version_is_printed(tmp_path: Path) -> None:
    ran = taskctl("--version", cwd=tmp_path)
    assert (ran.returncode, ran.stdout.decode().strip()) == (0, f"taskctl {__version__}")


def without_hints(text: bytes) -> dict[str, Any]:
    """The document without hints, whose commands have the options of the run."""
    document: dict[str, Any] = json.loads(text)
    for task in document["tasks"]:
        task.pop("hints", None)
    return document


def test_show_shows_a_saved_plan_in_each_format(plan_file: Path) -> None:
    ran = taskctl("show", str(plan_file))
    text = ran.stdout.decode()
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert text.splitlines()[-1].startswith("Plan: 2 to create, 1 to adopt, ")
    assert invisible_in(text) == {"\n"}
    assert commands_in(text) == []
    ran = taskctl("show", "-C", str(plan_file.parent), plan_file.name, "--format=json")
    assert without_hints(ran.stdout) == without_hints(
        dump(view_of(as_saved(PLAN)).document(AS_WRITTEN)).encode()
    )
    assert taskctl("show", "-q", str(plan_file)).stdout == b""
    painted = taskctl("show", "--color=always", str(plan_file), env={"NO_COLOR": "1"})
    assert b"\x1b[32m" in painted.stdout


@pytest.mark.parametrize("form", ["text", "json"])
def test_show_of_another_file_is_an_error(tmp_path: Path, form: str) -> None:
    (tmp_path / "tasks.yaml").write_text("version: 1\n")
    for name, words in (
        ("tasks.yaml", "not a saved plan"),
        ("none.plan", "cannot read the plan file"),
    ):
        ran = taskctl("show", name, "--format", form, cwd=tmp_path)
        assert ran.returncode == 1
        assert words in (ran.stdout if form == "json" else ran.stderr).decode()
        assert (ran.stderr if form == "json" else ran.stdout) == b""
        if form == "json":
            (problem,) = json.loads(ran.stdout)["diagnostics"]
            assert problem["file"] == name


def test_a_plan_file_is_private_and_replaced_whole(tmp_path: Path, plan_file: Path) -> None:
    assert is_plan_file(plan_file)
    assert read_plan_file(plan_file, "p") == as_saved(PLAN)
    plan_file.chmod(0o644)
    before = plan_file.read_bytes()
    write_plan_file(tmp_path, plan_file.name, PLAN)
    assert plan_file.read_bytes() == before
    if os.name == "posix":
        assert stat.S_IMODE(plan_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [plan_file.name]
    assert not is_plan_file(tmp_path)
    assert not is_plan_file(tmp_path / "none")
    with raises_with(TaskctlError, "cannot write the plan file"):
        write_plan_file(tmp_path, f"{plan_file.name}/p", PLAN)


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
)
def test_reports_are_printed_in_any_encoding(tmp_path: Path, env: dict[str, str]) -> None:
    path = tmp_path / "plan.taskctl"
    plan = replace(PLAN, backend="漢字 \ud800 é")
    write_plan_file(tmp_path, path.name, plan)
    ran = taskctl("show", str(path), env=env)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\\u6f22\\u5b57" in ran.stdout


def test_a_closed_pipe_is_not_an_error(plan_file: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "show", str(plan_file)],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    _, said = process.communicate()
    assert (process.returncode, said) == (1, b"")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("show PLAN", "TC813"),
        ("explain", "TC813"),
        ("show --format json --x", "TC804"),
    ],
)
def test_a_full_disk_is_reported(line: str, code: str, plan_file: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        return
    with full.open("wb") as stdout:
        ran = subprocess.run(
            [sys.executable, "-m", "reconciler", *line.replace("PLAN", str(plan_file)).split()],
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == 1
    first = ran.stderr.decode().splitlines()[0]
    assert first.startswith("error: ")
    assert first.endswith(f" [{code}]")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_signals_set_the_exit_code(number: signal.Signals, code: int, form: str) -> None:
    body = "sys.stderr.write('ready\\n'); sys.stderr.flush(); signal.pause()"
    process = subprocess.Popen(
        [sys.executable, "-c", FAKE.format(body=body), "try", "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    process.send_signal(number)
    out, said = process.communicate()
    assert process.returncode == code
    assert b"Traceback" not in said
    if form == "json":
        assert len(json.loads(out)["diagnostics"]) == 1


def test_completion_is_offered() -> None:
    env = {"_TASKCTL_COMPLETE": "bash_complete", "COMP_WORDS": "taskctl va", "COMP_CWORD": "1"}
    ran = taskctl(env=env)
    assert ran.stdout.decode().split() == ["plain,validate"]
