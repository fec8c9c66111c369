"""Saved plans on disk: private, replaced as a whole, and recognized by their first key."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from reconciler import disk
from reconciler.manifest.repository import read_regular
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place
from reconciler.model.errors import TaskctlError
from reconciler.plan.codec import SavedPlan, encode_saved_plan, is_saved_plan, read_saved_plan

GLANCE = 256
"""Bytes that hold the first key of any saved plan."""

MAX_BYTES = 512 * 1024 * 1024


def is_plan_file(path: Path) -> bool:
    """Whether apply takes this PATH for a saved plan: its first key is `formatVersion`."""
    try:
        return is_saved_plan(read_regular(path, GLANCE))
    except OSError:
        return False


def read_plan_file(path: Path, name: str) -> SavedPlan:
    """The saved plan; `name` is the file as the user typed it. TaskctlError for any other file."""
    try:
        data = disk.read_file(path, most=MAX_BYTES, follow=True)
    except OSError as problem:
        raise _unreadable(name, problem.strerror or str(problem)) from problem
    if data is None:
        raise _unreadable(name, os.strerror(errno.ENOENT))
    return read_saved_plan(data, name)


def _unreadable(name: str, reason: str) -> TaskctlError:
    return TaskctlError.of(Code.UNREADABLE_FILE, "plan", at=Place(name), reason=reason)


def write_plan_file(path: Path, name: str, saved: SavedPlan) -> None:
    """Replaces the file, mode 0600 because it contains prompts. TaskctlError if it cannot."""
    try:
        disk.replace_file(path, encode_saved_plan(saved), mode=disk.PRIVATE)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise TaskctlError.of(Code.CANNOT_WRITE, "plan", at=Place(name), why=why) from problem
