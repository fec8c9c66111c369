"""Saved plans on disk: private, written atomically, and recognized by their first key."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from reconciler.app.files import write_file
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.plan.codec import encode_saved_plan, is_saved_plan, read_saved_plan
from reconciler.plan.plan import Plan
from reconciler.system import disk

PREFIX_BYTES = 256
"""Bytes that include the first key of every saved plan."""


def is_plan_file(path: Path) -> bool:
    """Whether a PATH is a saved plan: its first key is that of no manifest."""
    try:
        return is_saved_plan(disk.read_start(path, PREFIX_BYTES))
    except OSError:
        return False


def read_plan_file(path: Path, name: str) -> Plan:
    """The saved plan in a file; `name` is the file as the user typed it. Raises TaskctlError."""
    try:
        data = disk.read_file(path, most=limits.SAVED_PLAN_BYTES, follow=True)
    except OSError as problem:
        raise _unreadable(name, problem.strerror or str(problem)) from problem
    if data is None:
        raise _unreadable(name, os.strerror(errno.ENOENT))
    return read_saved_plan(data, name)


def _unreadable(name: str, reason: str) -> TaskctlError:
    return TaskctlError.of(Code.UNREADABLE_FILE, "plan", at=Place(name), reason=reason)


def write_plan_file(root: Path, name: str, plan: Plan) -> None:
    """Writes the plan with mode 0600, because it contains prompts; `name` is relative to `root`.
    Raises TaskctlError."""
    data, most = encode_saved_plan(plan), limits.SAVED_PLAN_BYTES
    if len(data) > most:  # it could not be read again
        facts = {"size": f"{(len(data) >> 20) + 1}", "limit": f"{most >> 20}"}
        raise TaskctlError.of(Code.CANNOT_WRITE, "largePlan", at=Place(name), **facts)
    write_file(root, name, data, "plan", keeps_mode=False)
