"""A small CI system that runs the workflow of docs/other-ci.md, each job on a new runner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.checkout import git, git_environment
from tests.support.doc_blocks import ROOT, blocks
from tests.support.sandbox import TOKEN

KILLED = 137
"""How a shell reports a command that got SIGKILL."""

_KILL = """#!{python}
import json, subprocess, sys, time
from urllib.request import ProxyHandler, build_opener
counts, open_ = {{"sent": 0, "made": 0}}, build_opener(ProxyHandler({{}})).open
taskctl = subprocess.Popen([sys.executable, "-m", "reconciler", *sys.argv[1:]])
while counts["sent"] < {sent} or counts["made"] < {made}:
    assert taskctl.poll() is None
    time.sleep(0.02)
    with open_({url!r} + "/_counts") as answer:
        counts = json.load(answer)
taskctl.kill()
taskctl.wait()
sys.exit({code})
"""
"""A taskctl that is killed once so many creates came in and so many tasks exist."""


def job_steps() -> list[dict[str, Any]]:
    """The steps of the job that the document shows."""
    (text,) = [block.text for block in blocks("docs/other-ci.md") if block.language == "yaml"]
    steps: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(text)["jobs"]["apply"]["steps"]
    return steps


@dataclass
class CI:
    """A remote repository, and the runs so far. `service` is the fault server's URL."""

    folder: Path
    service: str
    settle: int
    runs: int = 0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
        self.push({"README": "Tasks", "taskctl.toml": 'state = "git:origin"\n'})

    def create_state(self) -> None:
        """Creates the state once, from a clone."""
        checkout, *_ = job_steps()
        assert self.run([checkout, {"run": "taskctl state init git:origin"}]) == 0, self.said

    def push(self, files: Mapping[str, str]) -> None:
        """Pushes these files to main."""
        clone = self.folder / "developer"
        if not clone.exists():
            git(self.folder, "clone", "--quiet", "origin", "developer")
        for name, text in files.items():
            (clone / name).parent.mkdir(exist_ok=True)
            (clone / name).write_text(text, encoding="utf-8")
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--message=Work")
        git(clone, "push", "--quiet", "origin", "HEAD:main")

    def run(self, steps: list[dict[str, Any]], *, lost: bool = False) -> int:
        """Runs one job on a new runner; returns 0, or the exit code of the first step that failed.

        `lost`: its apply is killed, and the machine disappears with its disk.
        """
        self.runs += 1
        runner = _Runner(self, self.folder / f"runner-{self.runs}")
        runner.provide("kill" if lost else "run")
        codes = map(runner.do, steps)
        return next(filter(None, codes), 0)

    def taskctl(self, kind: str) -> str:
        if kind == "run":
            return f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.skipped_time "$@"\n'
        return _KILL.format(python=sys.executable, url=self.service, sent=5, made=3, code=KILLED)


class _Runner:
    """A machine with an empty disk."""

    def __init__(self, ci: CI, folder: Path) -> None:
        self._ci, self._folder = ci, folder
        self._work = folder / "work"
        self._work.mkdir(parents=True)

    def provide(self, kind: str) -> None:
        command = self._folder / "bin" / "taskctl"
        command.parent.mkdir()
        command.write_text(self._ci.taskctl(kind), encoding="utf-8")
        command.chmod(0o755)

    def do(self, step: Mapping[str, Any]) -> int:
        if step.get("name") == "Install":
            return 0
        if "run" in step:
            return self._shell(step["run"], "PULUMI_ACCESS_TOKEN" in step.get("env", {}))
        uses, options = step["uses"].partition("@")[0], step.get("with", {})
        match uses:
            case "actions/checkout":
                git(self._ci.folder, "clone", "--quiet", "--branch", options["ref"], "origin",
                    str(self._work))  # fmt: skip
            case _:
                raise AssertionError(f"no runner knows {uses}")
        return 0

    def _shell(self, script: str, has_token: bool) -> int:
        known = git_environment().items()
        env = {
            **{n: v for n, v in known if not n.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_"))},
            "GIT_CONFIG_COUNT": "1",  # a runner has no author, and git must not guess one
            "GIT_CONFIG_KEY_0": "user.useConfigOnly",
            "GIT_CONFIG_VALUE_0": "true",
            "PATH": f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self._folder),
            "PULUMI_HOME": str(self._folder / "pulumi"),
            **({"PULUMI_ACCESS_TOKEN": TOKEN} if has_token else {}),
            "TASKCTL_BACKEND": self._ci.service,
            "TASKCTL_SETTLE_TIME": f"{self._ci.settle}s",
        }
        ended = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self._work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._ci.said.append(ended.stdout)
        return ended.returncode
