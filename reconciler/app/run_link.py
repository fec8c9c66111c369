"""The link to the run of a CI system that this process is part of, from its environment."""

from __future__ import annotations

from collections.abc import Mapping

_LINKS = (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/attempts/{GITHUB_RUN_ATTEMPT}",
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    "{CI_JOB_URL}",
    "{CI_PIPELINE_URL}",
    "{BUILDKITE_BUILD_URL}",
    "{CIRCLE_BUILD_URL}",
    "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
    "{BUILD_URL}",
)
"""GitHub (and Forgejo), GitLab, Buildkite, CircleCI, Azure Pipelines, Jenkins."""

_LONGEST = 500


def run_link(env: Mapping[str, str]) -> str:
    """Empty outside of CI systems, and for what is no link."""
    for template in _LINKS:
        try:
            link = template.format_map(env)
        except KeyError:
            continue
        if link.startswith(("https://", "http://")) and len(link) <= _LONGEST:
            return link
    return ""
