"""Runs a printed `gh workflow run` or `glab ci run` line as GitHub and GitLab do: with the files of
the examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tests.support.action_runner import Runner, Step
from tests.support.doc_blocks import ROOT

PATH = ROOT / "examples" / "ci" / "github-run.yml"
GITLAB = ROOT / "examples" / "ci" / "gitlab-ci.yml"


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


class RejectedInputError(Exception):
    """GitLab starts no pipeline."""


def gitlab_jobs(**inputs: str) -> dict[str, Any]:
    """The pipeline with these inputs, which GitLab inserts into the text of the file.
    RejectedInputError."""
    return pipeline_of(GITLAB.read_text(encoding="utf-8"), inputs)


def pipeline_of(text: str, inputs: Mapping[str, str] = {}) -> dict[str, Any]:
    jobs: dict[str, Any] = YAML(typ="safe", pure=True).load(with_inputs(text, inputs))
    return jobs


def with_inputs(text: str, inputs: Mapping[str, str] = {}) -> str:
    """The file without its header."""
    header, _, content = text.partition("\n---\n")
    declared = YAML(typ="safe", pure=True).load(header)["spec"]["inputs"]
    if not inputs.keys() <= declared.keys():
        raise RejectedInputError(inputs)

    def value(found: re.Match[str]) -> str:
        about = declared[found[1]]
        given = inputs.get(found[1], about["default"])
        pattern = about.get("regex", "").replace("$", r"\Z")
        if given not in about.get("options", [given]) or not re.search(pattern, given):
            raise RejectedInputError(given)
        return str(given)

    return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", value, content)


def gitlab_inputs(line: str) -> dict[str, str]:
    """The inputs that a line gives to the pipeline."""
    words = shlex.split(line)
    assert words[:3] == ["glab", "ci", "run"], line
    assert (words[3], words[5], set(words[7::2])) == ("-R", "-b", {"-i"}), line
    return dict(word.split(":", 1) for word in words[8::2])
