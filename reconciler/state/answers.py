"""Answers while a lost state is recovered: `taskctl state resolve` as events."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.shell import is_key
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.model import Recovering, State


def waiting_keys(state: State, organizations: Iterable[str]) -> set[TaskRef]:
    """The keys that were noted when the recovery began, and that have no task since."""
    return {
        TaskRef(org_name, key)
        for org_name in organizations
        for key in state.recovering[org_name].keys
    }


def answer_entries(state: State, glob: str) -> list[Recovering]:
    """The answer `ENTRY@*` or `ORG/ENTRY@*` also counts for later keys of the entry."""
    org_name, _, name = glob.rpartition("/")
    entry = name.removesuffix("@*")
    if entry == name or not is_key(entry):
        return []
    return [
        Recovering(org, replace(known, entries=tuple(sorted({*known.entries, entry}))))
        for org, known in state.recovering.items()
        if org_name in ("", org)
    ]
