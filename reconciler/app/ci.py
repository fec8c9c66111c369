"""The CI system that this process runs in, and the repository's workflows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.manifest.repository import path_inside
from reconciler.model import limits
from reconciler.model.canonical import INVISIBLE, visible
from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error
from reconciler.state.attempt import Run
from reconciler.state.lock import user_name
from reconciler.system import disk

if TYPE_CHECKING:
    from reconciler.remote.client import Client


SYSTEMS = {
    "GITHUB_ACTIONS": "GitHub Actions",  # and Forgejo
    "GITLAB_CI": "GitLab CI",
    "BUILDKITE": "Buildkite",
    "CIRCLECI": "CircleCI",
    "TF_BUILD": "Azure Pipelines",
    "TEAMCITY_VERSION": "TeamCity",
    "CODEBUILD_BUILD_ID": "AWS CodeBuild",
    "JENKINS_URL": "Jenkins",
    "CI": "CI",
}
"""The CI systems, by the variable that each sets. The last is set by all other systems."""

_GITHUB_RUN = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_LINKS = (
    f"{_GITHUB_RUN}/attempts/{{GITHUB_RUN_ATTEMPT}}",
    *(_GITHUB_RUN, "{CI_JOB_URL}", "{CI_PIPELINE_URL}"),  # Forgejo does not number attempts
)
"""Templates of the address of a run: the first whose variables are set."""

_ACTORS = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")
"""The variables with the person who ran it last, or started it."""

_MAX_TEXT = 500

_MAX_WORKFLOWS, _MAX_PROBLEMS = 200, 100
_ADOPT = re.compile(r"(?<![\w-])--adopt(?![\w-])")
_MANUAL = re.compile(
    r"^[\"']?on[\"']?:[ \t]*+(?:\[?[ \t]*+workflow_dispatch[ \t]*+\]?[ \t]*+$"
    r"|\n([ \t]++)workflow_dispatch:.*\n(?:\1[ \t]++.*\n|[ \t]*+\n)*+(?=\S|\Z))",
    re.MULTILINE,
)
"""The triggers of a GitHub workflow that only people start."""


def ci_system(env: Mapping[str, str]) -> str | None:
    """The name of the CI system; None outside of CI."""
    found = (name for v, name in SYSTEMS.items() if env.get(v, "").lower() not in ("", "false"))
    return next(found, None)


def run_link(env: Mapping[str, str]) -> str:
    """The link to the CI run that this process belongs to; empty if there is none."""
    for template in _LINKS:
        try:
            link = template.format_map(env)
        except KeyError:
            continue
        if link.startswith(("https://", "http://")) and len(link) <= _MAX_TEXT:
            return link
    return ""


def this_run(client: Client | None, clock: Clock) -> Run:
    """This run, from now on, for records: its job and the person who started it, or the user of
    this system. Sends no request."""
    who = client.known_identity if client is not None else None
    at = client.service_clock() if client is not None else None
    env, url = os.environ, run_link(os.environ)
    actors = (env[name] for name in _ACTORS if env.get(name))
    actor = next(actors, "" if url else user_name())
    texts = {"user": who.name if who is not None else "", "actor": actor, "url": url}
    shown = {name: visible(text, f"\n{INVISIBLE}")[:_MAX_TEXT] for name, text in texts.items()}
    return Run(at or clock.now(), **shown)


def adopting_workflows(top: Path) -> list[Diagnostic]:
    """An error for each line with `--adopt` in a workflow that runs automatically, limited."""
    found = (
        error(Code.ADOPT_IN_WORKFLOW, at=Place(name, number))
        for name, text in _workflows(top)
        if "taskctl" in text and _MANUAL.search(text) is None
        for number, line in enumerate(text.splitlines(), 1)
        if _ADOPT.search(line.partition("#")[0])
    )
    return list(islice(found, _MAX_PROBLEMS))


def _workflows(top: Path) -> Iterator[tuple[str, str]]:
    """The names and texts of the workflows that can be read."""
    paths = [*sorted((top / ".github/workflows").glob("*.y*ml")), top / ".gitlab-ci.yml"]
    for path in paths[:_MAX_WORKFLOWS]:
        name = path.relative_to(top).as_posix()
        with suppress(OSError):  # also a broken link, which CI cannot read either
            if (real := path_inside(top, name)) is not None:
                yield name, disk.read_resolved(real, limits.CONFIG_BYTES).decode(errors="replace")
