"""Completion in real shells: commands, options, keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.cli.main import run, run_process
from reconciler.model.task import TaskRef
from tests.support.called import call
from tests.support.shells import Shell

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """\
version: 1
orgName: acme
tasks:
  rotate-iam-keys: {message: Rotate the keys., orgName: other}
  review-costs: {message: Look at the costs.}
  rotate-entry: {forEach: {row: [a]}, message: "Rotate {{ row }}."}
"""
KEYS = ("acme/review-costs", "acme/old-task", "b/old-task")
FLEET = ("acme/fleet@eu", "acme/fleet@us", "acme/fleet@eu@2026")
STATE = json.dumps({"version": 1, "tasks": {ref: {} for ref in (*KEYS, *FLEET)}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.yaml").write_text(MANIFEST)
    (tmp_path / "taskctl.state.json").write_text(STATE)
    (tmp_path / "bin").mkdir()
    taskctl = tmp_path / "bin/taskctl"
    taskctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    taskctl.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL_", "COMP_"))}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)}


def offered(folder: Path, line: str) -> list[str]:
    """The completions of the last word of a line, with the protocol of the bash script."""
    words = line.split(" ")
    env = {
        **environment(folder),
        "_TASKCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    code, out, err = call([], folder, env, _complete)
    assert (code, err) == (0, "")
    return out.split()


def _complete(_words: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        run_process()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("taskctl comp", ["plain,completion"]),
        ("taskctl completion z", ["plain,zsh"]),
        ("taskctl schema p", ["plain,plan"]),
        ("taskctl plan --max", ["plain,--max-creates"]),
        ("taskctl plan --target r", ["plain,review-costs", "plain,rotate-iam-keys"]),
        ("taskctl apply --target o", ["plain,old-task"]),
        ("taskctl plan --target acme/o", ["plain,acme/old-task"]),
        ("taskctl plan --target other/", ["plain,other/rotate-iam-keys"]),
        ("taskctl plan tasks/a.yaml --target ro", ["plain,rotate-iam-keys"]),
        ("taskctl state accept r", ["plain,review-costs", "plain,rotate-iam-keys"]),
        ("taskctl state mv old", ["plain,old-task"]),
        ("taskctl state mv old-task ro", ["plain,rotate-iam-keys"]),
        ("taskctl state rm --state none.json old", ["file,old", "plain,old-task"]),
        ("taskctl state accept old-task ta", ["file,ta"]),
        ("taskctl -C tasks state accept o", []),
        ("taskctl -C ta", ["dir,ta"]),
        ("taskctl validate ta", ["file,ta"]),
        ("taskctl fmt ta", ["file,ta"]),
        ("taskctl show pl", ["file,pl"]),
        ("taskctl show re", ["file,re", "plain,review-costs"]),
        ("taskctl logs ro", ["file,ro", "plain,rotate-iam-keys"]),
        ("taskctl status old", ["file,old", "plain,old-task"]),
        ("taskctl wait old", ["file,old", "plain,old-task"]),
        *(
            (f"taskctl {name} old", ["file,old", "plain,old-task"])
            for name in ("approve", "cancel", "logs", "reject", "say")
        ),
        ("taskctl plan --report h", ["plain,html"]),
        ("taskctl plan --out pl", ["file,pl"]),
        ("taskctl plan --target = ro", ["plain,rotate-iam-keys"]),  # as bash splits words
        (
            "taskctl plan --target = ro --target = r",
            ["plain,review-costs", "plain,rotate-iam-keys"],
        ),
        ("taskctl plan --target fl", ["plain,fleet@eu", "plain,fleet@eu@2026", "plain,fleet@us"]),
        ("taskctl plan --target fleet @", ["plain,eu", "plain,eu@2026", "plain,us"]),
        ("taskctl plan --target fleet @ e", ["plain,eu", "plain,eu@2026"]),
        ("taskctl plan --target = fleet @ eu @ 2", ["plain,2026"]),
        ("taskctl show acme/fleet @ u", ["file,acme/fleet@u", "plain,us"]),
        ("taskctl state mv fleet @ eu ro", ["plain,rotate-iam-keys"]),
        ("taskctl plan --target fleet@e", ["plain,fleet@eu", "plain,fleet@eu@2026"]),
        ("taskctl apply --allow-recreate = ol", ["plain,old-task"]),
        ("taskctl plan --state ta", ["file,ta"]),
    ],
)
def test_commands_options_and_keys_are_completed(folder: Path, line: str, words: list[str]) -> None:
    assert offered(folder, line) == words


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tasks/a.yaml", "tasks: [\n"),
        ("tasks/a.yaml", "tasks: 1\n"),
        ("tasks/a.yaml", "- tasks\n"),
        ("tasks/a.yaml", "tasks: {a: 1}\n"),
        ("taskctl.state.json", "{"),
        ("taskctl.state.json", "[]"),
        ("taskctl.state.json", '{"tasks": []}'),
        ("taskctl.toml", "backend = 1\n"),
        ("taskctl.toml", "paths = ["),
    ],
)
def test_errors_in_files_are_not_printed(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    assert set(offered(folder, "taskctl plan --target ")) <= {
        "plain,a",
        "plain,old-task",
        "plain,review-costs",
        "plain,rotate-iam-keys",
        *(f"plain,{TaskRef.parse(ref).key}" for ref in FLEET),
    }


def test_keys_come_from_the_configured_paths(folder: Path) -> None:
    (folder / "tasks").rename(folder / "agents")
    assert offered(folder, "taskctl plan --target ro") == []
    (folder / "taskctl.toml").write_text("paths = ['agents']\n")
    assert offered(folder, "taskctl plan --target ro") == ["plain,rotate-iam-keys"]
    assert offered(folder, "taskctl state rm ol") == ["file,ol", "plain,old-task"]


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.tools)])
def test_at_a_terminal(folder: Path, shell: str) -> None:
    start = {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
    }[shell]
    setup = {
        "bash": 'eval "$(taskctl completion bash)"',
        "zsh": 'autoload -U compinit; compinit -u; eval "$(taskctl completion zsh)"',
    }[shell]
    with Shell(start, folder, environment(folder)) as terminal:
        terminal.until("ready> ")
        terminal.type(f"{setup}; echo set''up\r")
        terminal.until("setup")
        terminal.type("taskctl state accept rev\t")
        terminal.until("iew-costs")
        terminal.type("\x15taskctl plan --target ro\t")
        terminal.until("tate-iam-keys")
        if shell == "bash":
            terminal.type("\x15taskctl plan --target=ro\t")
            terminal.until("tate-iam-keys")
            terminal.type("\x01echo \x05\r")
            terminal.until("taskctl plan --target=rotate-iam-keys")
        terminal.type("\x15taskctl compl\t")
        terminal.until("etion")
        terminal.type("\x15taskctl validate ta\t")
        terminal.until("sk")


@pytest.mark.tools
def test_in_fish(folder: Path) -> None:
    """fish itself prints its completions."""
    script = (
        "taskctl completion fish | source\n"
        'complete -C "taskctl state accept rev"\n'
        'complete -C "taskctl plan --target ro"\n'
        'complete -C "taskctl compl"\n'
    )
    ran = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    words = [line.split("\t")[0] for line in ran.stdout.splitlines()]
    assert words == [
        "review-costs",
        "rotate-iam-keys",
        "completion",
    ]


@pytest.mark.parametrize(
    "shell", ["bash", *(pytest.param(s, marks=pytest.mark.tools) for s in ("zsh", "fish"))]
)
def test_the_printed_script_is_valid(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_TASKCTL_COMPLETE" in script
    subprocess.run([shell, "-n"], input=script.encode(), check=True)


def test_keys_of_a_large_manifest_are_offered(folder: Path) -> None:
    tasks = "".join(f"  task-{n}: {{message: Do {n}.}}\n" for n in range(1000))
    (folder / "tasks/b.yaml").write_text(f"version: 1\ntasks:\n{tasks}")
    assert offered(folder, "taskctl plan --target task-999") == ["plain,task-999"]


HOSTILE = ("$(touch${IFS}x)", "`touch x`", "a;touch x", "a b", "-rf", "a|b", "UP", "a\\n", "é")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_invalid_keys_are_never_offered(shell: str, folder: Path) -> None:
    """A shell inserts completions unquoted into the command line, where they may be run."""
    tasks = {key: {"message": "Do it."} for key in HOSTILE}
    manifest = {"version": 1, "orgName": "a$(id)b", "tasks": tasks}
    (folder / "tasks/b.yaml").write_text(json.dumps(manifest))
    refs = [f"{org}/{key}" for key in (*HOSTILE, "good") for org in ("acme", "a$(id)b")]
    (folder / "taskctl.state.json").write_text(json.dumps({"tasks": {ref: {} for ref in refs}}))
    for word, expected in (("", "good"), ("acme/", "acme/good")):
        line = ["taskctl", "plan", "--target", word]
        words = {"bash": "\n".join(line), "zsh": " ".join(line), "fish": " ".join(line[:-1])}
        ran = subprocess.run(
            [str(folder / "bin/taskctl")],
            cwd=folder,
            env={
                **environment(folder),
                "_TASKCTL_COMPLETE": f"{shell}_complete",
                "COMP_WORDS": words[shell],
                "COMP_CWORD": word if shell == "fish" else "3",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.search(rf"\b{expected}\b", ran.stdout), ran.stdout + ran.stderr
        for sign in ("$", "`", ";", "|", "touch", "-rf", "UP", "\u00e9"):
            assert sign not in ran.stdout


def test_pipes_devices_and_outside_links_never_block_the_shell(folder: Path) -> None:
    outside = folder.parent / f"{folder.name}-outside.json"
    outside.write_text('{"tasks": {"acme/of-somebody-else": {}}}')
    (folder / ".git").mkdir()
    (folder / "taskctl.state.json").unlink()
    (folder / "taskctl.state.json").symlink_to(outside)
    (folder / ".taskctl").mkdir()
    os.mkfifo(folder / ".taskctl/local.state.json")
    os.mkfifo(folder / "tasks/pipe.yaml")
    (folder / "tasks/zero.yaml").symlink_to("/dev/zero")
    found = offered(folder, "taskctl plan --target ")
    assert found == ["plain,review-costs", "plain,rotate-iam-keys"]
