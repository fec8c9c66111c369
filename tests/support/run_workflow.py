"""Runs a printed `gh workflow run` line as GitHub does: with the workflow of the examples."""

from __future__ import annotations

import shlex
from typing import Any

from ruamel.yaml import YAML

from tests.support.action_runner import Runner, Step
from tests.support.doc_blocks import ROOT

PATH = ROOT / "examples" / "ci" / "github-run.yml"


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(PATH.read_text(encoding="utf-8"))
    return loaded


def fields_of(line: str) -> dict[str, str]:
    """The inputs that a line gives to the workflow, each of which the workflow must have."""
    words = shlex.split(line)
    assert words[:4] == ["gh", "workflow", "run", "taskctl-run.yml"], line
    assert (words[4], set(words[6::2])) == ("-R", {"-f"}), line
    fields = dict(word.split("=", 1) for word in words[7::2])
    inputs = workflow()["on"]["workflow_dispatch"]["inputs"]
    assert fields.keys() <= inputs.keys(), line
    assert fields["command"] in inputs["command"]["options"]
    return fields


def start(runner: Runner, line: str) -> tuple[Step, Step | None]:
    """The ended jobs `show` and, if there is something to do, `run`."""
    fields = fields_of(line)
    show, run = (_step(job) for job in ("show", "run"))
    assert (show["preview"], "preview" in run) == ("true", False)
    assert run["expect-plan"] == "${{ needs.show.outputs.digest }}"
    shown = runner.requested(fields, preview=True)
    if shown.code or shown.outputs.get("has-changes") != "true":
        return shown, None
    return shown, runner.requested(fields, digest=shown.outputs.get("plan-digest", ""))


def _step(job: str) -> dict[str, str]:
    (step,) = (s for s in workflow()["jobs"][job]["steps"] if "/taskctl@" in s.get("uses", ""))
    given: dict[str, str] = step["with"]
    assert given["command"] == "run"
    return given
