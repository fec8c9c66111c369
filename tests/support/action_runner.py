"""Runs the action as GitHub does: its script alone, or all steps of action.yml."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.checkout import git_environment
from tests.support.doc_blocks import ROOT
from tests.support.github_api import TOKEN as GITHUB_TOKEN
from tests.support.sandbox import TOKEN

SCRIPT = ROOT / "action"
_EXPRESSION = re.compile(r"\$\{\{\s*([\w. |-]+?)\s*\}\}")


def metadata(folder: Path = ROOT) -> dict[str, Any]:
    """The parsed `action.yml`."""
    text = (folder / "action.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def quick_python(folder: Path) -> Path:
    """A directory for PATH with a `python3` that installs nothing: its virtual environments use
    the taskctl of the tests, and their `bin/python.log` has a line for each call of pip."""
    folder.mkdir()
    scripts = {
        "python": (
            f'if [ "$1 $2 $3" != "-I -m pip" ]; then exec "{sys.executable}" "$@"; fi\n'
            'echo "$*" >>"$0.log"'
        ),
        "python3": (
            '[ -z "${PULUMI_ACCESS_TOKEN:-}" ] || exit 97\n'
            f'if [ "$1 $2 $3" != "-I -m venv" ]; then exec "{sys.executable}" "$@"; fi\n'
            f'mkdir -p "$5/bin" && cp "{folder}/python" "$5/bin/python"'
        ),
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@dataclass
class Step:
    """The result of a run: its `outputs` as a workflow sees them, and the `summary` of the job."""

    code: int
    said: str
    outputs: dict[str, str]
    summary: str


@dataclass
class Runner:
    """A machine that has `workspace` checked out, before a pull request (None: a push)."""

    folder: Path
    workspace: Path
    api: str = "http://127.0.0.1:9"
    pull_request: int | None = 7
    env: dict[str, str] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    runs: int = 0

    def script(self, command: str, backend: str = "", **inputs: str) -> Step:
        """The script `action/` with the other defaults of action.yml."""
        files = self._files()
        if backend:
            self.env["TASKCTL_BACKEND"] = backend
        env = {**self._environment(files), **_as_environment({"command": command, **inputs})}
        code, said = self._run([sys.executable, "-I", str(SCRIPT)], env)
        return Step(code, said, _outputs(files), (files / "summary").read_text("utf-8"))

    def requested(
        self, inputs: Mapping[str, str], *, preview: bool = False, digest: str = "", **more: str
    ) -> Step:
        """The script for what a person requests in the workflow `taskctl run`."""
        self.event = {"sender": {"login": "ana", "type": "User"}, **self.event, "inputs": inputs}
        self.env["GITHUB_EVENT_NAME"] = "workflow_dispatch"
        return self.script("run", preview=str(preview).lower(), expect_plan=digest, **more)

    def composite(self, action: Path, **inputs: str) -> Step:
        """Every step of `action.yml` in order, in its shell; the action's checkout is `action`."""
        files, described = self._files(), metadata(action)
        given = {n: str(i.get("default", "")) for n, i in described["inputs"].items()}
        given["access-token"] = TOKEN
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {f"inputs.{n}": v for n, v in {**given, **named}.items()}
        known |= {f"env.{name}": value for name, value in self.env.items()}
        known |= {"github.action_path": str(action), "github.token": GITHUB_TOKEN}
        known = {name: _filled(value, known) for name, value in known.items()}
        env, failed, said = self._environment(files), 0, ""
        for step in described["runs"]["steps"]:
            assert "if" not in step
            if failed:
                break
            more = {n: _filled(v, known) for n, v in step.get("env", {}).items()}
            paths = (files / "path").read_text("utf-8").split()
            path = os.pathsep.join([*reversed(paths), env["PATH"]])
            assert "${{" not in step["run"]
            (files / "step.sh").write_text(step["run"])
            shell = step["shell"].replace("{0}", str(files / "step.sh"))
            code, text = self._run(shlex.split(shell), {**env, **more, "PATH": path})
            said, failed = said + text, code
            if "id" in step:
                known |= {f"steps.{step['id']}.outputs.{n}": v for n, v in _outputs(files).items()}
        outputs = {n: _filled(o["value"], known) for n, o in described["outputs"].items()}
        return Step(failed, said, outputs, (files / "summary").read_text("utf-8"))

    def _files(self) -> Path:
        self.runs += 1
        files = self.folder / f"run-{self.runs}"
        files.mkdir(parents=True)
        for name in ("output", "summary", "path"):
            (files / name).touch()
        about = {"number": self.pull_request}
        event = {"pull_request": about} if self.pull_request is not None else {"ref": "main"}
        (files / "event.json").write_text(json.dumps(event | self.event))
        return files

    def _environment(self, files: Path) -> dict[str, str]:
        base = {n: v for n, v in git_environment().items() if not n.startswith("PYTHON")}
        return {
            **{n: v for n, v in base.items() if not n.startswith(("TASKCTL", "PULUMI", "COV_"))},
            "HOME": str(files),
            "RUNNER_TEMP": str(files),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api,
            "GITHUB_EVENT_PATH": str(files / "event.json"),
            "GITHUB_OUTPUT": str(files / "output"),
            "GITHUB_PATH": str(files / "path"),
            "GITHUB_REPOSITORY": "acme/infra",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(files / "summary"),
            **self.env,
        }

    def _run(self, command: list[str], env: Mapping[str, str]) -> tuple[int, str]:
        ended = subprocess.run(
            command,
            cwd=self.workspace,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout


def _as_environment(inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs as the step that runs the script passes them on."""
    described = metadata()
    (step,) = [step for step in described["runs"]["steps"] if step.get("id") == "run"]
    given = {n: str(i.get("default", "")) for n, i in described["inputs"].items()}
    tokens = {"github-token": GITHUB_TOKEN, "access-token": TOKEN}
    known = {f"inputs.{n}": v for n, v in {**given, **tokens}.items()}
    known |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    known["github.action_path"] = str(ROOT)
    return {name: _filled(value, known) for name, value in step["env"].items()}


def _filled(text: str, known: Mapping[str, str]) -> str:
    """Replaces names and `a || b`, which is the first that is not empty."""

    def value(found: re.Match[str]) -> str:
        return next(filter(None, (known.get(n.strip(), "") for n in found[1].split("||"))), "")

    return _EXPRESSION.sub(value, str(text))


def _outputs(files: Path) -> dict[str, str]:
    text = (files / "output").read_text(encoding="utf-8")
    long = re.findall(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
    short = re.findall(r"^([\w-]+)=(.*)$", text, re.MULTILINE)
    return {**dict(short), **{name: value for name, _, value in long}}
