"""The CI system that this process runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.model.canonical import INVISIBLE, visible
from reconciler.model.clock import Clock
from reconciler.state.attempt import Author
from reconciler.state.lock import user_name

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
"""The CI systems, by the variable that each sets. The last is the fallback: most systems set it."""

_GITHUB_RUN = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_LINKS = (
    f"{_GITHUB_RUN}/attempts/{{GITHUB_RUN_ATTEMPT}}",
    *(_GITHUB_RUN, "{CI_JOB_URL}", "{CI_PIPELINE_URL}"),  # Forgejo does not number attempts
)
"""Templates of the address of a run: the first whose variables are set."""

_ACTORS = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")
"""The variables with the person who ran it last, or started it."""

_MAX_TEXT = 500


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


def this_run(client: Client | None, clock: Clock) -> Author:
    """This run, from now on, for records: its job and the person who started it, or the user of
    this system. Sends no request."""
    who = client.known_identity if client is not None else None
    at = client.service_clock() if client is not None else None
    env, url = os.environ, run_link(os.environ)
    actors = (env[name] for name in _ACTORS if env.get(name))
    actor = next(actors, "" if url else user_name())
    texts = {"user": who.name if who is not None else "", "actor": actor, "url": url}
    shown = {name: visible(text, f"\n{INVISIBLE}")[:_MAX_TEXT] for name, text in texts.items()}
    return Author(at or clock.now(), **shown)
