"""Saved plans on disk: private, written whole or not at all, told from manifests by a glance."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from reconciler.model.errors import TaskctlError
from reconciler.plan.codec import SavedPlan, encode_saved_plan, is_saved_plan, read_saved_plan

GLANCE = 256  # bytes that hold the first key of any file that is a saved plan


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
        raise TaskctlError.of(
            f"cannot read the plan file: {problem.strerror}",
            "Make one:\n    taskctl plan --out FILE",
            file=name,
        ) from problem
    return read_saved_plan(data, name)


def write_plan_file(path: Path, name: str, saved: SavedPlan) -> None:
    """Replaces the file whole, mode 0600 since it holds prompts. TaskctlError if it cannot."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode_saved_plan(saved))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as problem:
        raise TaskctlError.of(
            f"cannot write the plan file: {problem.strerror}",
            "The plan stands, but it was not saved; choose another place:\n"
            "    taskctl plan --out FILE",
            file=name,
        ) from problem
