"""Saved plans on disk: written atomically, and recognized by their first key."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from reconciler import __version__
from reconciler.app.files import write_file
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.options import MAX_SETTLE_TIME, MIN_SETTLE_TIME
from reconciler.model.remarks import Arg
from reconciler.model.typed_json import ShapeError, decode_as, encode_json, indented, members
from reconciler.plan.digest import SavedPlan
from reconciler.plan.plan import Plan
from reconciler.system import disk

FORMAT_VERSION = 3
_KIND = "taskctl-saved-plan"
_FIRST_KEY = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{?\s*+([\"']?)formatVersion\1\s*:")
_PREFIX_BYTES = 256
"""Bytes that include the first key of every saved plan."""


def is_plan_file(path: Path) -> bool:
    """Whether a PATH is a saved plan: its first key is that of no manifest."""
    try:
        return _FIRST_KEY.match(disk.read_start(path, _PREFIX_BYTES)) is not None
    except OSError:
        return False


def write_plan_file(root: Path, name: str, plan: Plan) -> None:
    """Writes the saved plan, by which `apply` checks that it does what was reviewed. `name` is
    relative to `root`. Raises TaskctlError."""
    known = (encode_json(value) for value in (FORMAT_VERSION, _KIND, __version__))
    text = b'{"formatVersion": %b, "kind": %b, "taskctl": %b, "plan": %b}'
    data = indented(text % (*known, encode_json(SavedPlan.of(plan)))) + b"\n"
    write_file(root, name, data, "plan")


def read_plan_file(path: Path, name: str) -> SavedPlan:
    """Reads a saved plan; `name` is the file as the user typed it. Raises TaskctlError."""
    try:
        data = disk.read_file(path, most=limits.SAVED_PLAN_BYTES, follow=True)
    except OSError as problem:
        raise _refused(Code.UNREADABLE_FILE, name, "plan", reason=_text(problem)) from problem
    if data is None:
        raise _refused(Code.UNREADABLE_FILE, name, "plan", reason=os.strerror(errno.ENOENT))
    return decoded(data, name)


def decoded(data: bytes, name: str) -> SavedPlan:
    """The saved plan in the content of a file. Raises TaskctlError."""
    try:
        return _content(data.removeprefix(b"\xef\xbb\xbf"), name)
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, name, reason=problem.cause) from None


def _content(data: bytes, name: str) -> SavedPlan:
    """Raises ShapeError and TaskctlError."""
    whole = members(data)
    if bytes(whole.get("kind", b"")) != encode_json(_KIND):
        raise _refused(Code.NOT_A_SAVED_PLAN, name)
    version = decode_as(int, whole.get("formatVersion", b"null"))
    if version != FORMAT_VERSION:
        by = decode_as(str, whole.get("taskctl", encode_json("of another version")))
        facts: dict[str, Arg] = {"format": version, "known": FORMAT_VERSION, "by": by}
        raise _refused(Code.SAVED_PLAN_VERSION, name, **facts)
    if "plan" not in whole:
        raise ShapeError("plan", "missing")
    try:
        found = decode_as(SavedPlan, whole["plan"])
    except ShapeError as problem:
        raise problem.under("plan") from None
    if not MIN_SETTLE_TIME <= found.options.settle_time <= MAX_SETTLE_TIME:
        raise ShapeError("plan.options.settleTime", "range")
    if any("\0" in path for path in found.scope):
        raise ShapeError("plan.scope", "name")
    return found


def _text(problem: OSError) -> str:
    return problem.strerror or str(problem)


def _refused(code: Code, name: str, case: str = "", /, **facts: Arg) -> TaskctlError:
    return TaskctlError.of(code, case, at=Place(name), **facts)
