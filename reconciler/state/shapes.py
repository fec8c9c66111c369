"""Records, attempts and identities as JSON, read strictly: what is wrong is named by its path.

Fields that version 1 does not know are passed over, so that a later taskctl may add some.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

from reconciler.interning import share_parts, shared
from reconciler.model.mark import is_mark
from reconciler.model.task import Identity, TaskRef, instant
from reconciler.state.attempt import SEND_WINDOW, Attempt
from reconciler.state.model import Happening, Record, kept_outputs

Json = dict[str, Any]
NEWER = (
    "Use that one, or bring this one up to date in the way it was installed: script/install of a\n"
    "newer checkout, or the version that an action, a hook or a list of requirements names."
)
"""What to do about a file of a newer taskctl."""

_NOTHING: Json = {}
_T = TypeVar("_T")

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


class WrongShapeError(Exception):
    """`path` is where, as in `tasks["acme/rotate"].taskId`; the message is what is wrong there."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(what)
        self.path = path

    def under(self, outer: str) -> WrongShapeError:
        """The same, seen from further out."""
        inner = self.path
        dot = "" if not inner or inner.startswith("[") else "."
        return WrongShapeError(f"{outer}{dot}{inner}", str(self))


def name_of(value: object) -> str:
    return _NAMES.get(type(value), "something else")


def need(holder: Json, name: str, kind: type[_T]) -> _T:
    """The field, of just that type: true is no number."""
    value = holder.get(name)
    if type(value) is not kind:
        if name not in holder:
            raise WrongShapeError(name, "is missing")
        raise WrongShapeError(name, f"must be {_NAMES[kind]}, not {name_of(value)}")
    return value


def may(holder: Json, name: str, kind: type[_T]) -> _T | None:
    """The field, or None where it is absent or null."""
    return None if holder.get(name) is None else need(holder, name, kind)


def need_filled(holder: Json, name: str) -> str:
    value = need(holder, name, str)
    if not value:
        raise WrongShapeError(name, "must not be empty")
    return value


def _need_moment(holder: Json, name: str) -> datetime:
    moment = instant(need(holder, name, str))
    if moment is None:
        raise WrongShapeError(name, "must be an RFC 3339 time, as in 2026-11-24T14:44:49.123Z")
    return moment


def _may_moment(holder: Json, name: str) -> datetime | None:
    return None if holder.get(name) is None else _need_moment(holder, name)


def check_mark(mark: str, path: str) -> str:
    """Marks are compared as text, so there is one way to write them."""
    if not is_mark(mark):
        raise WrongShapeError(
            path, "must be a time in nanoseconds, such as 2026-11-24T14:44:49.123456789Z"
        )
    return mark


def read_ref(text: str) -> TaskRef:
    org_name, _, key = text.partition("/")
    if not org_name or not key:
        raise WrongShapeError("", "must be named ORGANIZATION/KEY")
    return TaskRef(intern(org_name), key)


def texts(holder: Json, name: str) -> tuple[str, ...]:
    found = may(holder, name, list) or []
    for at, value in enumerate(found):
        if type(value) is not str:
            raise WrongShapeError(f"{name}[{at}]", f"must be text, not {name_of(value)}")
    return tuple(found)


def _inputs(holder: Json) -> Json:
    inputs = need(holder, "inputs", dict)
    message = inputs.get("message")
    if message is None:
        if "message" in inputs:
            raise WrongShapeError("inputs.message", "must be an object, not null")
        return inputs
    if type(message) is not dict:
        raise WrongShapeError("inputs.message", f"must be an object, not {name_of(message)}")
    if type(message.get("content")) is not str:
        raise WrongShapeError("inputs.message.content", "must be text")
    _share_entities(message)
    return inputs


def _share_entities(message: Json) -> None:
    diff = message.get("entity_diff")
    added = diff.get("add") if type(diff) is dict else None
    if type(added) is list:
        added[:] = [shared(entity) if type(entity) is dict else entity for entity in added]


def read_identity(holder: Json) -> Identity:
    value = need(holder, "identity", dict)
    try:
        return _identity(
            need_filled(value, "id"),
            may(value, "organization", str),
            may(value, "team", str),
            may(value, "login", str) or "",
        )
    except WrongShapeError as wrong:
        raise wrong.under("identity") from None


@lru_cache(maxsize=64)
def _identity(user_id: str, organization: str | None, team: str | None, login: str) -> Identity:
    """One value for the many records that one identity made."""
    return Identity(user_id, organization, team, login)


def _outputs(holder: Json) -> Json:
    outputs = may(holder, "outputs", dict)
    if not outputs:
        return _NOTHING
    share_parts(outputs)
    return outputs


def read_record(ref: TaskRef, value: Json) -> Record:
    return Record(
        ref=ref,
        task_id=need_filled(value, "taskId"),
        file=intern(need(value, "file", str)),
        inputs=_inputs(value),
        digest=need_filled(value, "digest"),
        identity=read_identity(value),
        created_at=_may_moment(value, "createdAt"),
        marks=texts(value, "marks"),
        pending=may(value, "pending", dict) or _NOTHING,
        outputs=_outputs(value),
        sensitive=may(value, "sensitive", bool) or False,
        history=_history(value),
        former=texts(value, "formerTaskIds"),
        duplicates=texts(value, "duplicateTaskIds"),
    )


def _history(holder: Json) -> tuple[Happening, ...]:
    found = []
    for at, value in enumerate(may(holder, "history", list) or ()):
        try:
            if type(value) is not dict:
                raise WrongShapeError("", f"must be an object, not {name_of(value)}")
            happening = Happening(
                need_filled(value, "what"),
                _may_moment(value, "at"),
                *(may(value, name, str) or "" for name in ("taskId", "mark", "detail")),
            )
        except WrongShapeError as wrong:
            raise wrong.under(f"history[{at}]") from None
        found.append(happening)
    return tuple(found)


def read_attempt(mark: str, value: Json) -> Attempt:
    try:
        ref = read_ref(need(value, "task", str))
    except WrongShapeError as wrong:
        raise wrong if wrong.path else wrong.under("task") from None
    return Attempt(
        ref=ref,
        mark=check_mark(mark, ""),
        inputs=_inputs(value),
        digest=need_filled(value, "digest"),
        identity=read_identity(value),
        file=need(value, "file", str),
        started_at=_need_moment(value, "startedAt"),
        service_clock=_may_moment(value, "serviceClock"),
        sensitive=may(value, "sensitive", bool) or False,
        replaces=may(value, "replaces", str) or "",
        boot=_seconds(value, "boot", 0.0),
        boot_id=may(value, "bootId", str) or "",
        window=_seconds(value, "window", SEND_WINDOW),
        baseline=may(value, "baseline", str) or "",
    )


def _seconds(holder: Json, name: str, default: float) -> float:
    value = holder.get(name, default)
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise WrongShapeError(name, f"must be a number of seconds, not {name_of(value)}")
    return float(value)


def record_json(record: Record) -> Json:
    value: Json = {
        "taskId": record.task_id,
        "file": record.file,
        "inputs": dict(record.inputs),
        "digest": record.digest,
        "identity": identity_json(record.identity),
        "outputs": kept_outputs(record.outputs),
    }
    if record.created_at is not None:
        value["createdAt"] = _time(record.created_at)
    if record.marks:
        value["marks"] = list(record.marks)
    if record.pending:
        value["pending"] = dict(record.pending)
    if record.sensitive:
        value["sensitive"] = True
    if record.history:
        value["history"] = [happening_json(happening) for happening in record.history]
    if record.former:
        value["formerTaskIds"] = list(record.former)
    if record.duplicates:
        value["duplicateTaskIds"] = list(record.duplicates)
    return value


def happening_json(happening: Happening) -> Json:
    """Without what is not known."""
    at = _time(happening.at) if happening.at is not None else ""
    further = {
        "at": at,
        "taskId": happening.task_id,
        "mark": happening.mark,
        "detail": happening.detail,
    }
    return {"what": happening.what} | {name: text for name, text in further.items() if text}


def attempt_json(attempt: Attempt) -> Json:
    value: Json = {
        "task": str(attempt.ref),
        "inputs": dict(attempt.inputs),
        "digest": attempt.digest,
        "identity": identity_json(attempt.identity),
        "file": attempt.file,
        "startedAt": _time(attempt.started_at),
    }
    if attempt.service_clock is not None:
        value["serviceClock"] = _time(attempt.service_clock)
    if attempt.sensitive:
        value["sensitive"] = True
    if attempt.replaces:
        value["replaces"] = attempt.replaces
    if attempt.boot_id:
        value |= {"boot": attempt.boot, "bootId": attempt.boot_id}
    if attempt.window != SEND_WINDOW:
        value["window"] = attempt.window
    if attempt.baseline:
        value["baseline"] = attempt.baseline
    return value


def identity_json(identity: Identity) -> Json:
    value: Json = {"id": identity.id, "login": identity.login}
    if identity.organization is not None:
        value["organization"] = identity.organization
    if identity.team is not None:
        value["team"] = identity.team
    return value


def _time(moment: datetime) -> str:
    """As exact as it is: marks end at milliseconds, clocks do not."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
