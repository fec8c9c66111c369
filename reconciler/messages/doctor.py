"""The wording of `taskctl doctor`: what a check found if it succeeded, or why it was skipped."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.messages.entry import Entry, Message
from reconciler.messages.template import fill
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg

TITLES = {
    "backend": "Backend",
    "token": "Token",
    "connection": "Connection",
    "identity": "Identity",
    "clock": "Clock",
    "organization": "Organization",
    "state": "State",
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
    "organization": "{name} (from {source})",
    "state": "{path}: {count} task{count:s}",
    "state/shared": "{path} (serial {serial}): {count} task{count:s}",
    "state/new": "{path} does not exist yet; the first apply creates it",
    "git": "the state is not ignored by git",
    "git/ci": "the state is not ignored by git; running in {ci}",
}
_SKIPPED = {
    "earlier": "an earlier check failed",
    "local": "not used by the embedded service",
    "no-date": "the service sends no usable date",
    "no-org": "nothing names a default organization; manifests must set `orgName`",
    "no-git": "git is not installed",
    "shared": "the state is not a file",
    "no-repository": "the working directory is not in a git repository",
}


def found(case: str, facts: Mapping[str, Arg]) -> str:
    return fill(_FOUND[case], facts)


def skipped(reason: str) -> str:
    return _SKIPPED[reason]


ENTRIES = {
    Code.CLOCK_SKEW: Entry(
        title="Clock off",
        why="Attempts with an unknown outcome are looked up by their time, so this machine's clock"
        " must agree with the service's.",
        fix="Synchronize the clock of this machine, for example with NTP.",
        cases={
            "": Message(
                "this machine's clock is {seconds} s off the service's clock",
                "Synchronize the clock of this machine, for example with NTP.",
            ),
            "periods": Message(
                "the clocks of this machine ({machine}) and the service ({service}) are in "
                "different periods; the earlier period counts"
            ),
            "apart": Message(
                "the clocks of this machine ({machine}) and the service ({service}) are more than "
                "a day apart: it is not known which periods are due",
                "Nothing was sent. Synchronize the clock of this machine, for example with NTP.",
            ),
        },
    ),
    Code.GIT_UNUSABLE: Entry(
        title="Git refuses the repository",
        why="Git refuses a repository that belongs to another user, which is common in containers.",
        fix="Make the directory belong to the current user, or mark it as safe with"
        " `git config --global --add safe.directory DIRECTORY`.",
        cases={
            "": Message(
                "git cannot use this repository: {reason}",
                "If it belongs to another user, mark it as safe with `safe.directory`.",
            )
        },
    ),
    Code.STATE_IGNORED: Entry(
        title="State ignored by git",
        why="A state file that git ignores is never committed, so other clones and CI jobs start"
        " with an empty state.",
        fix="Remove the pattern from `.gitignore`, or store the state elsewhere with `--state`.",
        cases={
            "": Message(
                "git ignores the state file {path}",
                "Other clones and CI jobs would start with an empty state. Remove the pattern from"
                " .gitignore, or store the state elsewhere with --state.",
            )
        },
    ),
}
