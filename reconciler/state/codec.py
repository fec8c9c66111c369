"""The format of the state file, and a diagnostic for each kind of damage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.remarks import Arg
from reconciler.model.task import NO_TASK, TaskRef
from reconciler.model.typed_json import (
    Raw,
    ShapeError,
    decode_as,
    decode_outline,
    encode_json,
    indented,
    is_intact,
    members,
    parse_ref,
    with_checksum,
)
from reconciler.model.value import Stored, field, replace
from reconciler.state.attempt import (
    Attempt,
    Author,
    Baseline,
    Move,
    Provenance,
    RetiredTask,
)
from reconciler.state.checks import (
    check_attempt,
    check_provenance,
    check_record,
    check_retired,
    check_waited,
)
from reconciler.state.model import (
    Aged,
    Attempted,
    Event,
    Learned,
    Record,
    Recorded,
    Retired,
    State,
)
from reconciler.system.memory import collection_paused


class StateFile(Stored, frozen=True, kw_only=True):
    """A state file. Raw fields are decoded item by item, so that an error identifies the task."""

    version: int
    checksum: str = ""
    lineage: str
    serial: int
    backend: str
    provenance: Provenance
    baselines: tuple[Baseline, ...] = ()
    retired: Mapping[str, Raw] = field(default_factory=dict)
    dismissed: tuple[str, ...] = ()
    runs: Mapping[str, Author] = field(default_factory=dict)
    move: Move | None = None
    journal: str = ""
    attempts: Mapping[str, Raw]
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: dict[str, Raw]


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


T = TypeVar("T")

MAX_SERIAL = 2**52
"""More saves than any state can have; the limit also applies to the heads of shared states."""

VERSION = 5
"""The version of the state file, the journal, and the head of a shared state, which contain the
same values."""

_COMMON_FIELDS = (
    "lineage",
    "serial",
    "backend",
    "provenance",
    "baselines",
    "dismissed",
    "runs",
    "move",
    "journal",
)
"""The fields that `State` and `StateFile` have in common."""

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


def encode_state(state: State) -> bytes:
    """The state file: its checksum, sorted keys, indent 2, UTF-8, final newline; deterministic."""
    return with_checksum(indented(state_json(state)))


def state_json(state: State) -> bytes:
    """The state without a checksum, on one line with sorted keys."""
    file = StateFile(
        version=VERSION,
        attempts={str(number): _with_task(a) for number, a in state.attempts.items()},
        tasks={str(ref): _raw(replace(r, ref=NO_TASK)) for ref, r in state.records.items()},
        closed={str(ref): references for ref, references in state.closed.items()},
        retired={task_id: _with_task(task) for task_id, task in state.retired.items()},
        **{name: getattr(state, name) for name in _COMMON_FIELDS},
    )
    return encode_json(file)


def _raw(value: object) -> Raw:
    return Raw(encode_json(value))


def _with_task(value: Attempt | RetiredTask) -> Raw:
    """The value as JSON, with `ORG/KEY` as its task."""
    return _raw(members(encode_json(value)) | {"task": str(value.ref)})


def _without_task(kind: type[T], raw: Raw) -> T:
    """The inverse of `_with_task`."""
    whole: dict[str, Any] = members(raw)
    text = _member(str, whole, "task")
    try:
        return decode_as(kind, encode_json(whole | {"task": parse_ref(text)}))
    except ShapeError as problem:
        raise problem if problem.path else problem.under("task") from None


def decode_state(data: bytes, source: StateSource, *, backend: str) -> State:
    """The inverse of `encode_state`. Raises StateError for other content: an unreadable state never
    counts as absent.

    A file without a checksum was merged or edited on purpose: it is checked strictly instead, and
    its baselines do not count, because a task may have lost its record.
    """
    if data[:1] != b"{":
        data = data.removeprefix(b"\xef\xbb\xbf")
        if not data.strip(b"\0 \t\r\n"):
            raise source.damaged("zeros" if data.strip() else "empty")
    with collection_paused():
        intact = is_intact(data)
        try:
            file = _outline(data, source, backend, intact=intact)
            state = _read(file)
        except ShapeError as problem:
            raise source.damaged("shape", reason=problem.cause) from None
        if file.checksum and not intact and file.checksum != _checksum_of(state):
            backup = source.file + ".backup"
            raise StateError.about(source.file, Code.STATE_EDITED, backup=backup)
    return state if file.checksum else replace(state, baselines=())


def _checksum_of(state: State) -> str:
    return decode_outline(StateFile, encode_state(state)).checksum


def _outline(data: bytes, source: StateSource, backend: str, *, intact: bool) -> StateFile:
    """The file, if it has this version and backend. Raises StateError for another version or
    backend, and ShapeError for invalid fields."""
    try:
        file = decode_outline(StateFile, data)
        check_version(file.version, source.file)
        check_backend(file.backend, backend, source.file)
    except ShapeError:
        try:
            whole = members(data)
        except ShapeError as problem:
            _refuse_json(data, problem, source)
        check_version(_member(int, whole, "version"), source.file)
        check_backend(_member(str, whole, "backend"), backend, source.file)
        if not intact:
            _refuse_duplicates(data, source)
        raise
    if not intact:
        _refuse_duplicates(data, source)
    return file


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


def _member(kind: type[T], whole: Mapping[str, Raw], name: str) -> T:
    if name not in whole:
        raise ShapeError(name, "missing")
    try:
        return decode_as(kind, whole[name])
    except ShapeError as problem:
        raise problem.under(name) from None


def check_version(version: int, file: str) -> None:
    """Raises StateError unless a state, journal or head has this version's format."""
    if version != VERSION:
        case = "older" if version < VERSION else ""
        raise StateError.about(file, Code.STATE_VERSION, case, format=version, known=VERSION)


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


def _read(file: StateFile) -> State:
    attempts = dict(_attempt(number, raw) for number, raw in file.attempts.items())
    closed = {_closed_key(name): references for name, references in file.closed.items()}
    retired = _retired(file.retired)
    records = dict(_record(name, raw) for name, raw in file.tasks.items())
    if not 0 <= file.serial < MAX_SERIAL or not file.lineage:
        raise ShapeError("serial" if file.lineage else "lineage", "invalid")
    check_provenance(file.provenance)
    used = [text for record in records.values() for text in record.references]
    used += [text for task in retired.values() for text in (task.reference, *task.spent)]
    used += [text for references in closed.values() for text in references]
    known = file.provenance
    highest = max((*attempts, *(record.number for record in records.values())), default=0)
    if highest > known.counter or known.seen(used) != known:
        raise ShapeError("provenance.counter", "range")
    head = {name: getattr(file, name) for name in _COMMON_FIELDS}
    return State(records=records, attempts=attempts, closed=closed, retired=retired, **head)


def _retired(raws: Mapping[str, Raw]) -> dict[str, RetiredTask]:
    found = {}
    for task_id, raw in raws.items():
        try:
            task = found[task_id] = _without_task(RetiredTask, raw)
            check_retired(task)
            if task_id != task.task_id:
                raise ShapeError("", "invalid")
        except ShapeError as problem:
            raise problem.under(f"retired[{json.dumps(task_id)}]") from None
    return found


def _record(name: str, raw: Raw) -> tuple[TaskRef, Record]:
    try:
        ref = parse_ref(name)
        record = decode_as(Record, raw)
        if record.ref is not NO_TASK:
            raise ShapeError("task", "unknown")
        record = replace(record, ref=ref)
        check_record(record)
    except ShapeError as problem:
        raise problem.under(f"tasks[{json.dumps(name)}]") from None
    return record.ref, record


def _closed_key(name: str) -> TaskRef:
    try:
        return parse_ref(name)
    except ShapeError as problem:
        raise problem.under(f"closed[{json.dumps(name)}]") from None


def _attempt(number: str, raw: Raw) -> tuple[int, Attempt]:
    try:
        attempt = _without_task(Attempt, raw)
        check_attempt(attempt)
        if number != str(attempt.number):
            raise ShapeError("reference", "invalid")
    except ShapeError as problem:
        raise problem.under(f"attempts[{json.dumps(number)}]") from None
    return attempt.number, attempt


def encode_event(event: Event) -> bytes:
    """One line of JSON without its newline."""
    return encode_json(event)


def decode_event(data: bytes) -> Event:
    """The inverse of `encode_event`. Raises ShapeError."""
    event: Event = decode_as(cast("Any", Event), data)
    match event:
        case Attempted(attempt=attempt):
            check_attempt(attempt)
        case Recorded(record=record):
            check_record(record)
        case Learned(provenance=provenance):
            check_provenance(provenance)
        case Retired(task=task):
            check_retired(task)
        case Aged(seconds=seconds):
            for waited in seconds.values():
                check_waited(waited)
        case _:  # for other events, the types of the fields were already checked
            pass
    return event
