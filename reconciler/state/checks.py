"""Checks of stored values beyond their types, for state files and journals. Each function raises
ShapeError for an invalid value."""

from __future__ import annotations

from reconciler.model.options import MAX_SETTLE_TIME
from reconciler.model.reference import Reference, is_state_id
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.typed_json import ShapeError
from reconciler.state.attempt import IMPLAUSIBLE, Attempt, Provenance, RetiredTask
from reconciler.state.model import Record


def check_provenance(provenance: Provenance) -> None:
    """Checks the IDs and the counter."""
    ids = (*provenance.ids, *provenance.answered)
    if not provenance.ids or not all(map(is_state_id, ids)):
        raise ShapeError("provenance", "invalid")
    if not 0 <= provenance.counter < IMPLAUSIBLE:
        raise ShapeError("provenance.counter", "range")


def check_record(record: Record) -> None:
    """Checks the key of the record, and its fields."""
    _check_filled(taskId=record.task_id)
    _check_common(record.ref, record.digest, record.identity.id)
    if not 0 <= record.number < IMPLAUSIBLE:
        raise ShapeError("number", "range")
    if record.reference and Reference.parse(record.reference) is None:
        raise ShapeError("reference", "invalid")
    _check_inputs("inputs", record.inputs)
    _check_inputs("createdInputs", record.created_inputs)


def check_attempt(attempt: Attempt) -> None:
    """Checks the key of the attempt, and its fields."""
    reference = Reference.parse(attempt.reference)
    if reference is None:
        raise ShapeError("reference", "invalid")
    if reference.number >= IMPLAUSIBLE:
        raise ShapeError("reference", "range")
    check_waited(attempt.waited)
    for name, seconds in (("settleTime", attempt.settle_time), ("window", attempt.window)):
        if not 0 <= seconds <= MAX_SETTLE_TIME.total_seconds():
            raise ShapeError(name, "range")
    _check_common(attempt.ref, attempt.digest, attempt.identity.id)
    _check_inputs("inputs", attempt.inputs)


def check_retired(task: RetiredTask) -> None:
    """Checks the key of the task, and its fields."""
    if not (task.task_id and task.ref.key and task.identity.id):
        raise ShapeError("", "invalid")


def check_waited(seconds: float) -> None:
    """Checks the seconds for which runs have waited for an outcome."""
    if not seconds >= 0:
        raise ShapeError("waited", "negative")


def _check_common(ref: TaskRef, digest: str, user: str) -> None:
    _check_filled(task=ref.org_name and ref.key, digest=digest, identity=user)


def _check_inputs(name: str, inputs: Inputs) -> None:
    message = inputs.get("message")
    if message is None and "message" not in inputs:
        return
    if not isinstance(message, dict):
        raise ShapeError(f"{name}.message", "object")
    if not isinstance(message.get("content"), str):
        raise ShapeError(f"{name}.message.content", "text")


def _check_filled(**texts: str) -> None:
    for name, text in texts.items():
        if not text:
            raise ShapeError(name, "empty")
