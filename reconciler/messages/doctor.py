"""The wording of `taskctl doctor`: what a check found if it succeeded, or why it was skipped."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.messages.template import fill
from reconciler.model.remarks import Arg

TITLES = {
    "backend": "Backend",
    "token": "Token",
    "connection": "Connection",
    "identity": "Identity",
    "clock": "Clock",
    "manifests": "Manifests",
    "organization": "Organization",
    "state": "State",
    "marks": "Marks",
    "write": "Writable",
    "git": "Git",
}
"""The checks, in order."""

_FOUND = {
    "backend": "{name} (from {source})",
    "token": "from {source}",
    "connection": "{scheme}",
    "connection/proxy": "{scheme}, through the proxy {proxy}",
    "identity": "{login}, a personal token",
    "identity/organization": "{login}, a token of the organization {organization}",
    "identity/team": "{login}, a token of the team {team} in {organization}",
    "clock": "{seconds} s off the service's clock",
    "manifests": "{tasks} task{tasks:s} in {files} file{files:s}",
    "organization": "{name} (from {source})",
    "organization/manifests": "{names:and} (from the manifests)",
    "state": "{path}: {count} task{count:s}",
    "state/shared": "{path} (serial {serial}): {count} task{count:s}",
    "state/new": "{path} does not exist yet; the first apply creates it",
    "marks/kept": "the service keeps them ({key}): lost responses need no answer",
    "marks/cutOff": "the service cuts them off ({key}): apply asks after a lost response",
    "marks/replaced": "the service replaces them ({key}): apply asks after a lost response",
    "write": "wrote next to the state {path} and removed it again",
    "git": "can use this repository",
}
_SKIPPED = {
    "earlier": "an earlier check failed",
    "unasked": "pass --write-test to try to write the state",
    "local": "not used by the embedded service",
    "no-date": "the service sends no usable date",
    "no-manifests": "no manifests in this directory",
    "no-org": "no default organization is set; manifests must set `orgName`",
    "no-created": "no task was created with this token yet",
    "no-message": "the newest task does not show its first message",
    "no-git": "git is not installed",
    "shared": "the state is not a file",
    "no-repository": "the working directory is not in a git repository",
}


def found(case: str, facts: Mapping[str, Arg]) -> str:
    return fill(_FOUND[case], facts)


def skipped(reason: str) -> str:
    return _SKIPPED[reason]
