"""Who reads the output of a command, which decides the commands that it suggests."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from reconciler.app.known_state import KnownState
from reconciler.app.settings import Settings
from reconciler.model.service import Identity
from reconciler.model.value import Value, field
from reconciler.system.git import project_of, run_git

GITLAB = ".gitlab-ci.yml"
"""The value of `run-workflow` for GitLab."""

_PROJECT = re.compile(r"[\w-][\w.-]*(?::\d+)?(?:/[\w-][\w.-]*){2,20}", re.ASCII)


class Project(Value, frozen=True):
    """Where `run-workflow` runs: `HOST/OWNER/REPOSITORY`, empty if it is unknown, and the
    branch."""

    name: str = ""
    branch: str = "main"

    @classmethod
    def read(cls, settings: Settings, env: Mapping[str, str]) -> Project:
        """From the variables of the CI system, or else from git."""
        scheme, _, rest = (settings.state or "").partition(":")
        remote = rest.partition("#")[0] if scheme == "git" else "origin"
        url = env.get("CI_PROJECT_URL", "")
        if server := env.get("GITHUB_SERVER_URL"):
            url = f"{server}/{env.get('GITHUB_REPOSITORY', '')}"
        name = project_of(url or _git(settings.root, env, "remote", "get-url", remote))
        branch = ""
        if settings.run_workflow == GITLAB and not (branch := env.get("CI_DEFAULT_BRANCH", "")):
            ref = _git(settings.root, env, "symbolic-ref", "--short", f"refs/remotes/{remote}/HEAD")
            branch = ref.removeprefix(f"{remote}/")
        return cls(name if _PROJECT.fullmatch(name) else "", branch or "main")


def _git(root: Path, env: Mapping[str, str], *words: str) -> str:
    try:
        done = run_git(root, *words, env=env)
    except (OSError, subprocess.SubprocessError):
        return ""
    return os.fsdecode(done.stdout).strip()


class Audience(Value, frozen=True):
    """What this run has read about its user and its machine. `identity`: None if it was not read.
    `backend`: empty if it is unknown. `tasks` are the recorded tasks."""

    settings: Settings
    identity: Identity | None = None
    backend: str = ""
    is_embedded: bool = False
    is_ci: bool = False
    is_pull_request: bool = False
    project: Project = Project()
    tasks: KnownState = field(default_factory=KnownState)

    @property
    def may_apply(self) -> bool:
        """Whether the user may apply, as far as it is known."""
        return self.identity is None or self.settings.applies_as(self.identity)

    @property
    def prefers_workflow(self) -> bool:
        """Whether commands are run by the workflow rather than here."""
        return self.is_ci and self.settings.run_workflow is not None
