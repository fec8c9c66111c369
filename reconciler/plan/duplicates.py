"""Warnings about the duplicates that a state lists. Pure."""

from __future__ import annotations

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.mark import is_same
from reconciler.model.wire import console_url
from reconciler.state.attempt import Duplicate
from reconciler.state.model import State


def duplicate_warning(duplicate: Duplicate, state: State) -> Diagnostic:
    """A warning that a key has a second task, with the command that cancels it. The key is the one
    that has the mark now."""
    owners = (ref for mark, ref in state.marks() if is_same(mark, duplicate.mark))
    ref = next(owners, duplicate.ref)
    record, extra = state.records.get(ref), duplicate.task_id
    ids = (extra,) if record is None else (record.task_id, extra)
    links = (console_url(state.backend, ref.org_name, task_id) for task_id in ids)
    return warning(
        Code.DUPLICATE_REMOTE_TASK,
        "" if record is not None else "alone",
        at=Place(record.file if record is not None else duplicate.file, key=ref.key),
        ref=str(ref),
        ids=ids,
        links=tuple(link for link in links if link),
        extra=extra,
    )
