"""Saved plans on disk: private, replaced as a whole, and recognized by their first key."""

from __future__ import annotations

from pathlib import Path

from reconciler import disk
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, error
from reconciler.model.errors import TaskctlError
from reconciler.plan.codec import SavedPlan, encode_saved_plan, is_saved_plan, read_saved_plan

GLANCE = 256
"""Bytes that hold the first key of any saved plan."""


def is_plan_file(path: Path) -> bool:
    """Whether apply takes this PATH for a saved plan: its first key is `formatVersion`."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return is_saved_plan(file.read(GLANCE))


def read_plan_file(path: Path, name: str) -> SavedPlan:
    """The saved plan; `name` is the file as the user typed it. TaskctlError for any other file."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        facts = {"reason": problem.strerror or str(problem)}
        unreadable = error(Code.UNREADABLE_FILE, "plan", at=Place(name), **facts)
        raise TaskctlError([unreadable]) from problem
    return read_saved_plan(data, name)


def write_plan_file(path: Path, name: str, saved: SavedPlan) -> None:
    """Replaces the file, mode 0600 because it contains prompts. TaskctlError if it cannot."""
    try:
        disk.replace_file(path, encode_saved_plan(saved), mode=disk.PRIVATE)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise TaskctlError.of(Code.CANNOT_WRITE, "plan", at=Place(name), why=why) from problem
