"""The outcome of a message to a task: accepted, rejected, or unknown. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error
from reconciler.model.task import Identity, TaskRef


@dataclass(frozen=True, slots=True)
class Sent:
    """The service accepted it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The service rejected it with the message `words`. Status 0: the response is not the
    service's."""

    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No response, or one that proves nothing: the task may have received it."""

    why: str


Outcome = Sent | Refusal | Lost


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was sent (`what`: "the message", "the cancellation"; empty if the task was only
    requested), the identity that sent it, and the creator of the task. `cancels`: it asks the
    agent to stop."""

    ref: TaskRef
    what: str
    creator: Identity | None
    caller: Identity
    cancels: bool = False


def delivery_error(outcome: Refusal | Lost, delivery: Delivery) -> Diagnostic:
    """Why the task did not receive what was sent, or may not have."""
    place = Place(key=delivery.ref.key)
    facts = {"ref": str(delivery.ref), "what": delivery.what}
    if isinstance(outcome, Lost):
        return error(Code.DELIVERY_UNKNOWN, at=place, why=outcome.why, **facts)
    code, case, more = _classified(outcome, delivery)
    return error(code, case, at=place, answer=outcome.words, **facts, **more)


def _classified(outcome: Refusal, delivery: Delivery) -> tuple[Code, str, dict[str, str]]:
    caller, creator = delivery.caller, delivery.creator
    is_creator = caller.same_as(creator)
    match outcome.status:
        case 409:
            return Code.TASK_BUSY, "cancel" if delivery.cancels else "", {}
        case 404 if is_creator:
            return Code.TASK_GONE, "", {}
        case 403 | 404:
            names = {"caller": caller.login or caller.id}
            if creator is None or is_creator:
                return Code.NOT_THE_CREATOR, "", names
            case = "known" if delivery.what else "hidden"
            return Code.NOT_THE_CREATOR, case, {**names, "creator": creator.login or creator.id}
        case 401:
            return Code.DELIVERY_REJECTED, "unauthorized", {}
        case 429:
            return Code.DELIVERY_REJECTED, "throttled", {}
    return Code.DELIVERY_REJECTED, "", {}
