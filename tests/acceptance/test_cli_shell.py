"""The command as a process: imports, exit codes, signals, encodings, closed pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.app.plan_file import is_plan_file, read_plan_file, write_plan_file
from reconciler.cli.main import COMMANDS
from reconciler.model.diagnostics import TaskctlError
from reconciler.plan.digest import SavedPlan
from tests.support.diagnostics import raises_with
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


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_behave_like_dev_null(closed: str) -> None:
    words = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "reconciler"]
    for arguments in (["--version"], ["explain", "TC101"], ["schema", "plan"]):
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


def test_version_is_printed(tmp_path: Path) -> None:
    ran = taskctl("--version", cwd=tmp_path)
    assert (ran.returncode, ran.stdout.decode().strip()) == (0, f"taskctl {__version__}")


def test_a_plan_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.taskctl"
    for _ in range(2):
        write_plan_file(tmp_path, path.name, PLAN)
        assert read_plan_file(path, "p") == SavedPlan.of(PLAN)
        assert [path.name for path in tmp_path.iterdir()] == [path.name]
    assert not is_plan_file(tmp_path)
    assert not is_plan_file(tmp_path / "none")
    with raises_with(TaskctlError, "cannot write the plan file"):
        write_plan_file(tmp_path, f"{path.name}/p", PLAN)


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
)
def test_reports_are_printed_in_any_encoding(tmp_path: Path, env: dict[str, str]) -> None:
    text = "version: 1\norgName: acme\ntasks: {a: {message: 漢字 é}}\n"
    (tmp_path / "a.tasks.yaml").write_text(text, encoding="utf-8")
    ran = taskctl("plan", "--backend", "local", cwd=tmp_path, env=env)
    assert ran.returncode == 0
    assert b"\\u6f22\\u5b57" in ran.stdout


def test_a_closed_pipe_is_not_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "schema", "plan"],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    _, said = process.communicate()
    assert (process.returncode, said) == (1, b"")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("schema plan", "TC813"),
        ("explain", "TC813"),
        ("show --format json --x", "TC804"),
    ],
)
def test_a_full_disk_is_reported(line: str, code: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        return
    with full.open("wb") as stdout:
        ran = subprocess.run(
            [sys.executable, "-m", "reconciler", *line.split()],
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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_in_a_callback_sets_the_exit_code(number: signal.Signals, code: int) -> None:
    """Python ignores exceptions of callbacks: of weak references, as in imports, and of the garbage
    collector."""
    callback = f"lambda _: signal.raise_signal({int(number)})"
    body = (
        f"import time, weakref; r = weakref.ref(type('A', (), {{}})(), {callback}); time.sleep(9)"
    )
    fake = FAKE.format(body=f"{body}; time.sleep(9)")
    ran = subprocess.run(
        [sys.executable, "-c", fake, "try"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr
    assert "ignored" not in ran.stderr


def test_completion_is_offered() -> None:
    env = {"_TASKCTL_COMPLETE": "bash_complete", "COMP_WORDS": "taskctl va", "COMP_CWORD": "1"}
    ran = taskctl(env=env)
    assert ran.stdout.decode().split() == ["plain,validate"]
