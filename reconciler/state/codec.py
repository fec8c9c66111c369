"""The format of the state file, and a diagnostic for each kind of damage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

from reconciler.memory import collection_paused, share, share_parts
from reconciler.model.checksum import is_intact, with_checksum
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.fields import ENUMERATED
from reconciler.model.mark import is_mark
from reconciler.model.remarks import Arg
from reconciler.model.task import TaskRef
from reconciler.model.typed_json import (
    Codec,
    Raw,
    ShapeError,
    decode_as,
    encode_json,
    indented,
    members,
    parse_ref,
)
from reconciler.state.attempt import Attempt, KeyNotes
from reconciler.state.model import (
    Aged,
    Attempted,
    BaselineRead,
    Closed,
    Event,
    Forgotten,
    Noted,
    Record,
    Recorded,
    Retired,
    State,
)

T = TypeVar("T")

VERSION = 1

_HEAD = Codec(State, without=("records", "attempts", "keys", "unreported"))
_RECORD = Codec(Record, without=("ref",))
_ATTEMPT = Codec(Attempt, without=("mark",))
_NOTES = Codec(KeyNotes)
PARTS: tuple[Codec[Any], ...] = (_HEAD, _RECORD, _ATTEMPT, _NOTES)
"""What a state file consists of; schemas/state.schema.json is generated from it."""

_EVENT: Codec[Event] = Codec(
    Attempted, Closed, Recorded, Forgotten, Retired, BaselineRead, Aged, Noted
)

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


class StateSource(NamedTuple):
    """The origin of a state, for messages: its path as shown, and whether it has a backup."""

    file: str
    has_backup: bool = False

    def damaged(
        self, case: str, *, line: int | None = None, column: int | None = None, **facts: Arg
    ) -> StateError:
        """A case of `Code.STATE_DAMAGED`."""
        file, case = self.file, case if self.has_backup else f"{case}.lost"
        facts |= {"file": file, "backup": file + ".backup", "aside": file + ".bad"}
        return StateError.of(Code.STATE_DAMAGED, case, at=Place(file, line, column), **facts)


def encode_state(state: State) -> bytes:
    """The state file: its checksum, sorted keys, indent 2, UTF-8, final newline; deterministic."""
    return with_checksum(_text(state))


def _text(state: State) -> bytes:
    head = members(_HEAD.encode(state))
    tasks = {str(ref): Raw(_RECORD.encode(record)) for ref, record in state.records.items()}
    attempts = {mark: Raw(_ATTEMPT.encode(attempt)) for mark, attempt in state.attempts.items()}
    own = {"attempts": attempts, "tasks": tasks, "version": VERSION}
    if state.keys:
        own["keys"] = {str(ref): Raw(_NOTES.encode(notes)) for ref, notes in state.keys.items()}
    line = encode_json(head | own)
    del head, tasks, own
    return indented(line)


def decode_state(data: bytes, source: StateSource, *, backend: str) -> State:
    """The inverse of `encode_state`. Raises StateError for anything else: an unreadable state never
    counts as absent.

    A file without a checksum was merged or edited on purpose, and is checked strictly instead.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.startswith(b"{") and not data.strip(b"\0 \t\r\n"):
        raise source.damaged("zeros" if data.strip() else "empty")
    with collection_paused():
        try:
            whole = members(data)
        except ShapeError as problem:
            _refuse_json(data, problem, source)
        try:
            stated = _check_head(whole, source, backend)
            intact = is_intact(data)
            if not intact:
                _refuse_duplicates(data, source)
            state = _read(whole)
        except ShapeError as problem:
            raise source.damaged("shape", path=problem.path, reason=problem.what) from None
        if stated is not None and not intact and stated not in encode_state(state):
            backup = source.file + ".backup"
            raise StateError.about(source.file, Code.STATE_EDITED, backup=backup)
    return state


def _refuse_json(data: bytes, problem: ShapeError, source: StateSource) -> NoReturn:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise source.damaged("utf8") from None
    if conflict := _CONFLICT.search(text):
        at = Place(file=source.file, line=text.count("\n", 0, conflict.start()) + 1)
        raise StateError.of(Code.STATE_MERGE, at=at, file=source.file)
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        cut = found.pos >= len(text.rstrip()) or found.msg.startswith("Unterminated string")
        case, line, column = "truncated" if cut else "json", found.lineno, found.colno
        raise source.damaged(case, line=line, column=column, reason=found.msg) from None
    except (ValueError, RecursionError):
        pass
    raise source.damaged("json", reason=problem.what)


def _check_head(whole: Mapping[str, Raw], source: StateSource, backend: str) -> bytes | None:
    """The checksum in the file, if any."""
    version = _member(int, whole, "version")
    if version > VERSION:
        refuse_newer(version, VERSION, source.file)
    if version < 1:
        raise ShapeError("version", f"must be {VERSION}")
    check_backend(_member(str, whole, "backend"), backend, source.file)
    return _member(str, whole, "checksum").encode() if "checksum" in whole else None


def _member(kind: type[T], whole: Mapping[str, Raw], name: str) -> T:
    if name not in whole:
        raise ShapeError(name, "required field is missing")
    try:
        return decode_as(kind, whole[name])
    except ShapeError as problem:
        raise problem.under(name) from None


def refuse_newer(version: int, known: int, file: str) -> NoReturn:
    """Raises StateError for a format that this version does not know."""
    raise StateError.about(file, Code.STATE_NEWER, format=version, known=known)


def check_backend(found: str, backend: str, file: str) -> None:
    """Raises StateError unless a state or journal belongs to this run's backend."""
    if found.rstrip("/") != backend.rstrip("/"):
        raise StateError.about(file, Code.STATE_BACKEND, found=found, backend=backend)


def _refuse_duplicates(data: bytes, source: StateSource) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise source.damaged("duplicate", name=next(n for n in names if names.count(n) > 1))
        return found

    try:
        json.loads(data, object_pairs_hook=once)
    except UnicodeDecodeError:
        raise source.damaged("utf8") from None
    except (ValueError, RecursionError) as problem:
        raise source.damaged("json", reason=str(problem)) from None


def _read(whole: dict[str, Raw]) -> State:
    outside = ("attempts", "tasks", "keys", "version", "checksum")
    head = {name: raw for name, raw in whole.items() if name not in outside}
    tasks = _member(dict[str, Raw], whole, "tasks")
    attempts = _member(dict[str, Raw], whole, "attempts")
    read = {mark: _attempt(mark, raw) for mark, raw in attempts.items()}
    records = dict(_record(name, tasks.pop(name)) for name in tuple(tasks))
    noted = _member(dict[str, Raw], whole, "keys") if "keys" in whole else {}
    keys = dict(_notes(name, raw) for name, raw in noted.items())
    state = _HEAD.decode(encode_json(head), records=records, attempts=read, keys=keys)
    if state.serial < 0 or not state.lineage:
        raise ShapeError("serial" if state.lineage else "lineage", "invalid value")
    for task_id, task in state.retired.items():
        if task_id != task.task_id or not (task_id and task.ref.key and task.identity.id):
            raise ShapeError(f"retired[{json.dumps(task_id)}]", "invalid value")
    return state


def _record(name: str, raw: Raw) -> tuple[TaskRef, Record]:
    try:
        ref = parse_ref(name)
        record = _RECORD.decode(raw, ref=ref)
        _check_record(record)
        _share(record)
    except ShapeError as problem:
        raise problem.under(f"tasks[{json.dumps(name)}]") from None
    return ref, record


def _share(record: Record) -> None:
    """Saves 100 of 545 MiB with 100,000 tasks."""
    if isinstance(record.outputs, dict):
        share_parts(record.outputs, ENUMERATED)
    diff = (record.inputs.get("message") or {}).get("entity_diff")
    added = diff.get("add") if isinstance(diff, dict) else None
    if isinstance(added, list):
        added[:] = [share(entity) if isinstance(entity, dict) else entity for entity in added]


def _notes(name: str, raw: Raw) -> tuple[TaskRef, KeyNotes]:
    try:
        return parse_ref(name), _NOTES.decode(raw)
    except ShapeError as problem:
        raise problem.under(f"keys[{json.dumps(name)}]") from None


def _attempt(mark: str, raw: Raw) -> Attempt:
    try:
        attempt = _ATTEMPT.decode(raw, mark=mark)
        _check_attempt(attempt)
    except ShapeError as problem:
        raise problem.under(f"attempts[{json.dumps(mark)}]") from None
    return attempt


def encode_event(event: Event) -> bytes:
    """One line of JSON without its newline."""
    return _EVENT.encode(event)


def decode_event(data: bytes) -> Event:
    """The inverse of `encode_event`. Raises ShapeError."""
    event = _EVENT.decode(data)
    match event:
        case Attempted(attempt):
            _check_attempt(attempt)
        case Recorded(record):
            _check_record(record)
    return event


def _check_record(record: Record) -> None:
    _check_filled(taskId=record.task_id)
    _check_common(record)


def _check_attempt(attempt: Attempt) -> None:
    if not is_mark(attempt.mark):
        raise ShapeError("mark", "must be a time in microseconds")
    if not (attempt.waited >= 0 and attempt.window >= 0 and attempt.settle_time >= 0):
        raise ShapeError("waited", "must not be negative")
    _check_common(attempt)


def _check_common(value: Record | Attempt) -> None:
    ref, inputs = value.ref, value.inputs
    _check_filled(task=ref.org_name and ref.key, digest=value.digest, identity=value.identity.id)
    message = inputs.get("message")
    if message is None and "message" not in inputs:
        return
    if not isinstance(message, dict):
        raise ShapeError("inputs.message", "expected an object")
    if not isinstance(message.get("content"), str):
        raise ShapeError("inputs.message.content", "expected text")


def _check_filled(**texts: str) -> None:
    for name, text in texts.items():
        if not text:
            raise ShapeError(name, "must not be empty")
