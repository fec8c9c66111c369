"""The state file: its text, and what is said of each kind of text that is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from reconciler import garbage
from reconciler.model.diagnostics import error
from reconciler.model.errors import StateError
from reconciler.model.task import TaskRef
from reconciler.state import chunks
from reconciler.state.attempt import Attempt, Baseline
from reconciler.state.model import (
    Attempted,
    BaselineRead,
    Closed,
    Event,
    Forgotten,
    Record,
    Recorded,
    State,
)
from reconciler.state.shapes import (
    NEWER,
    Json,
    WrongShapeError,
    attempt_json,
    check_mark,
    name_of,
    need,
    need_filled,
    read_attempt,
    read_record,
    read_ref,
    record_json,
    texts,
)
from reconciler.state.writing import indented, one_line

VERSION = 2
"""The latest format: a file has it once it says what a taskctl that knows only 1 would drop as it
writes, and without which it adopts a task that was replaced, or sends a replacement again."""

_TASK_ID = b'"taskId":'
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


def encode_state(state: State) -> bytes:
    """The state file: sorted keys, indent 2, UTF-8, a newline at the end; the same for the same."""
    value: Json = {
        "version": _version_of(state),
        "serial": state.serial,
        "lineage": state.lineage,
        "backend": state.backend,
        "lastMark": state.last_mark,
        "attempts": {mark: attempt_json(a) for mark, a in state.attempts.items()},
        "tasks": {str(ref): record_json(record) for ref, record in state.records.items()},
    }
    if state.is_new:
        value["isNew"] = True
        if state.searched:
            value["searched"] = list(state.searched)
    if state.baselines:
        value["baselines"] = {name: _baseline_json(b) for name, b in state.baselines.items()}
    if state.latest:
        value["latest"] = {path: dict(of) for path, of in state.latest.items()}
    return indented(value).encode() + b"\n"


def _version_of(state: State) -> int:
    tells = any(record.history or record.former for record in state.records.values())
    return VERSION if tells or any(a.replaces for a in state.attempts.values()) else 1


def decode_state(data: bytes, *, file: str, backend: str, way_out: str) -> State:
    """What `encode_state` wrote. `way_out` is what to do about a `file` that is broken.

    Raises StateError for anything else: nothing that cannot be read counts as absent.
    """
    try:
        with garbage.paused():
            state = _read_pieces(data, file, backend)
            if state is None:
                value = _parsed(_text_of(data, file, way_out), file, way_out)
                _check_head(value, file, backend)
                state = _read_state(value, _read_tasks([need(value, "tasks", dict)]))
            return state
    except WrongShapeError as wrong:
        refuse(f"{wrong.path}: {wrong}" if wrong.path else str(wrong), way_out, file=file)


def _read_pieces(data: bytes, file: str, backend: str) -> State | None:
    """None for a text that is not to be cut, and for one that is no JSON or names a task twice:
    the whole of it will tell."""
    cuts = chunks.cut(data)
    if cuts is None:
        return None
    try:
        value = _loads(cuts.around)
        if type(value) is not dict or value.get("tasks", "") is not None:
            return None
        _check_head(value, file, backend)
        records = _read_tasks(map(_loads, cuts.tasks))
    except (ValueError, RecursionError):
        return None
    return None if data.count(_TASK_ID) > len(records) else _read_state(value, records)


def _loads(data: bytes) -> Any:
    return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)


def _text_of(data: bytes, file: str, way_out: str) -> str:
    """The text of a state file; StateError where it holds nothing or is no text."""
    if not data.startswith(b"{") and not data.strip(b"\0 \t\r\n"):
        what = "holds only zeros, as after a power failure" if data.strip() else "is empty"
        refuse(f"the state file {what}", way_out, file=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        refuse(f"the state file is not UTF-8 (byte {problem.start + 1})", way_out, file=file)


def refuse(
    summary: str, detail: str, *, file: str, line: int | None = None, column: int | None = None
) -> NoReturn:
    raise StateError([error(summary, detail, file=file, line=line, column=column)])


def _parsed(text: str, file: str, way_out: str) -> Json:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        _refuse_json(text, problem, file, way_out)
    except (ValueError, RecursionError) as problem:
        refuse(f"the state file is not the JSON it should be: {problem}", way_out, file=file)
    if type(value) is not dict:
        refuse(f"the state file must be an object, not {name_of(value)}", way_out, file=file)
    _refuse_twice(text, value, file, way_out)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _refuse_json(text: str, problem: json.JSONDecodeError, file: str, way_out: str) -> NoReturn:
    conflict = _CONFLICT.search(text)
    if conflict:
        refuse(
            "the state file holds the marks of an unfinished merge",
            "Two branches changed it. Keep the `tasks` of both sides (each key once), the higher"
            " `serial` and the later `lastMark`, and see what comes of it:\n  taskctl plan",
            file=file,
            line=text.count("\n", 0, conflict.start()) + 1,
        )
    cut = problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string")
    what = "is cut off" if cut else f"is no JSON: {problem.msg}"
    refuse(f"the state file {what}", way_out, file=file, line=problem.lineno, column=problem.colno)


def _refuse_twice(text: str, value: Json, file: str, way_out: str) -> None:
    """Refuses one task under one key twice, as a merge by hand may leave it; JSON keeps the last.

    Looking at every object costs as much again as parsing, so it is done only where there are
    more ids than tasks.
    """
    tasks = value.get("tasks")
    if type(tasks) is not dict or text.count(_TASK_ID.decode()) <= len(tasks):
        return

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            refuse(f"{json.dumps(twice)} is in one object twice", way_out, file=file)
        return found

    json.loads(text, object_pairs_hook=once)


def _check_head(value: Json, file: str, backend: str) -> None:
    version = need(value, "version", int)
    if version > VERSION:
        refuse(
            f"the state was written by a newer taskctl (format {version}, this one knows"
            f" {VERSION})",
            NEWER,
            file=file,
        )
    if version < 1:
        raise WrongShapeError("version", f"must be 1 to {VERSION}, not {version}")
    check_backend(need_filled(value, "backend"), backend, file)


def check_backend(found: str, wanted: str, file: str) -> None:
    if found.rstrip("/") != wanted.rstrip("/"):
        refuse(
            f"the state belongs to the backend {found}, and this run is for {wanted}",
            "Its tasks are not there, so all of them would be created again. Either use its"
            f" backend:\n  taskctl plan --backend {found}\nor a state of its own for this one:\n"
            "  taskctl plan --state NAME.state.json",
            file=file,
        )


def _read_state(value: Json, records: dict[TaskRef, Record]) -> State:
    serial = need(value, "serial", int)
    if serial < 0:
        raise WrongShapeError("serial", f"must not be negative, and is {serial}")
    last_mark = need(value, "lastMark", str)
    if last_mark:
        check_mark(last_mark, "lastMark")
    attempts = _read_attempts(need(value, "attempts", dict))
    is_new = value.get("isNew", False)
    if type(is_new) is not bool:
        raise WrongShapeError("isNew", f"must be true or false, not {name_of(is_new)}")
    return State(
        lineage=need_filled(value, "lineage"),
        serial=serial,
        backend=need_filled(value, "backend"),
        records=records,
        attempts=attempts,
        last_mark=max([last_mark, *attempts]),
        is_new=is_new,
        searched=texts(value, "searched"),
        baselines=_read_baselines(value.get("baselines", {})),
        latest=_read_latest(value.get("latest", {})),
    )


def _baseline_json(baseline: Baseline) -> Json:
    return {"orgName": baseline.org_name, "ids": list(baseline.ids)}


def _read_baseline(value: Json) -> Baseline:
    return Baseline(need_filled(value, "orgName"), texts(value, "ids"))


def _read_baselines(values: object) -> dict[str, Baseline]:
    if type(values) is not dict:
        raise WrongShapeError("baselines", f"must be an object, not {name_of(values)}")
    return {name: _read_baseline(_an_object(values, name)) for name in values}


def _read_latest(values: object) -> dict[str, dict[str, str]]:
    if type(values) is not dict:
        raise WrongShapeError("latest", f"must be an object, not {name_of(values)}")
    return {
        path: {org_name: need(of, org_name, str) for org_name in of}
        for path in values
        if (of := _an_object(values, path)) is not None
    }


def _read_tasks(objects: Iterable[Json]) -> dict[TaskRef, Record]:
    records: dict[TaskRef, Record] = {}
    for tasks in objects:
        for name in tasks:
            try:
                ref = read_ref(name)
                records[ref] = read_record(ref, _an_object(tasks, name))
            except WrongShapeError as wrong:
                raise wrong.under(f"tasks[{json.dumps(name)}]") from None
    return records


def _read_attempts(attempts: Json) -> dict[str, Attempt]:
    read: dict[str, Attempt] = {}
    for mark in attempts:
        try:
            read[mark] = read_attempt(mark, _an_object(attempts, mark))
        except WrongShapeError as wrong:
            raise wrong.under(f"attempts[{json.dumps(mark)}]") from None
    return read


def _an_object(holder: Json, name: str) -> Json:
    value = holder[name]
    if type(value) is not dict:
        raise WrongShapeError("", f"must be an object, not {name_of(value)}")
    return value


def encode_event(event: Event) -> bytes:
    """One line of JSON without its newline, in ASCII."""
    value = _event_json(event)
    return one_line(value)


def _event_json(event: Event) -> Json:
    match event:
        case Attempted(attempt):
            return {"event": "attempted", "mark": attempt.mark, **attempt_json(attempt)}
        case Closed(mark, reason):
            return {"event": "closed", "mark": mark, "reason": reason}
        case Recorded(record):
            return {"event": "recorded", "task": str(record.ref), **record_json(record)}
        case Forgotten(ref):
            return {"event": "forgotten", "task": str(ref)}
        case BaselineRead(baseline):
            return {"event": "baseline", **_baseline_json(baseline)}


def decode_event(data: bytes) -> Event:
    """What `encode_event` wrote; WrongShapeError or ValueError for anything else."""
    value = json.loads(data, parse_constant=_no_constant)
    if type(value) is not dict:
        raise WrongShapeError("", f"must be an object, not {name_of(value)}")
    kind = need(value, "event", str)
    if kind == "attempted":
        return Attempted(read_attempt(need(value, "mark", str), value))
    if kind == "closed":
        return Closed(need(value, "mark", str), need(value, "reason", str))
    if kind == "recorded":
        ref = read_ref(need(value, "task", str))
        return Recorded(read_record(ref, value))
    if kind == "baseline":
        return BaselineRead(_read_baseline(value))
    if kind == "forgotten":
        return Forgotten(read_ref(need(value, "task", str)))
    raise WrongShapeError("event", f"must be one that this taskctl knows, not {json.dumps(kind)}")
