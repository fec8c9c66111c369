"""The saved plan: all values of the plan, so that it can be shown in every format. Whether it is
stale depends on its digest (`plan/digest.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconciler import __version__
from reconciler.model.checksum import Checksummed, is_intact
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.remarks import Arg
from reconciler.model.typed_json import Raw, ShapeError, decode_as, encode_json, members
from reconciler.model.value import replace
from reconciler.plan.plan import Plan

FORMAT_VERSION = 1
SAVED_KIND = "taskctl-saved-plan"

_TASKS = 1_000
"""How many tasks are encoded together."""

_FIRST_KEY = re.compile(rb"\s*+\{?\s*+([\"']?)(checksum|formatVersion)\1\s*:")


def encode_saved_plan(plan: Plan) -> bytes:
    """The file of a saved plan. Its first key tells it from a manifest."""
    return b"".join(saved_plan_parts(plan))


def saved_plan_parts(plan: Plan) -> Checksummed:
    """The same in parts, made of some tasks at a time."""
    return Checksummed(_parts(plan), _parts(plan))


def _parts(plan: Plan) -> Iterator[bytes]:
    known = (encode_json(value) for value in (FORMAT_VERSION, SAVED_KIND, __version__))
    yield b'{\n "formatVersion": %b,\n "kind": %b,\n "taskctl": %b,\n "plan": ' % (*known,)
    yield encode_json(replace(plan, tasks=())).removesuffix(b"]}")  # the tasks come last
    for start in range(0, len(plan.tasks), _TASKS):
        text = encode_json(plan.tasks[start : start + _TASKS])[1:-1]
        yield (b"," if start else b"") + text
    yield b"]}}"


def is_saved_plan(beginning: bytes) -> bool:
    """Whether the first key of a file is one of a document, and of no manifest."""
    return _FIRST_KEY.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_saved_plan(data: bytes, file: str) -> Plan:
    """The plan in `data`. Raises TaskctlError for anything else, naming the kind of file if
    it is known."""
    whole = _members(data, file)
    _check_kind(whole, file)
    if not is_intact(data):
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "checksum")
    try:
        return decode_as(Plan, whole["plan"])
    except KeyError as problem:
        missing = ShapeError(str(problem.args[0]), "missing")
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=missing.cause) from None
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None


def _members(data: bytes, file: str) -> dict[str, Raw]:
    if not data.strip():
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "empty")
    try:
        return members(data.removeprefix(b"\xef\xbb\xbf"))
    except ShapeError as problem:
        if not is_saved_plan(data):
            raise _refused(Code.NOT_A_SAVED_PLAN, file, reason=problem.cause) from None
        case = "json" if data.rstrip().endswith(b"}") else "truncated"
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, case, reason=problem.cause) from None


def _check_kind(whole: Mapping[str, Raw], file: str) -> None:
    if "formatVersion" not in whole:
        others = {"lineage": "state", "tasks": "manifest"}
        case = next((case for name, case in others.items() if name in whole), "formatVersion")
        raise _refused(Code.NOT_A_SAVED_PLAN, file, case)
    if "kind" not in whole:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "document")
    try:
        kind = decode_as(str, whole["kind"])
        version = decode_as(int, whole["formatVersion"])
        made_by = decode_as(str, whole.get("taskctl", Raw(b'"of a later version"')))
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None
    if kind != SAVED_KIND:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "kind")
    if version < 1:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "formatVersion")
    if version > FORMAT_VERSION:
        known = FORMAT_VERSION
        raise _refused(Code.SAVED_PLAN_NEWER, file, "", format=version, known=known, by=made_by)


def _refused(code: Code, file: str, case: str = "", **facts: Arg) -> TaskctlError:
    return TaskctlError.of(code, case, at=Place(file=file), **facts)
