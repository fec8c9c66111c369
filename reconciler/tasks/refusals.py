"""Why a task did not accept a message: busy, gone, or another user's. Pure."""

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
    """The service rejected it, with its message `words`; status 0 if something else answered."""

    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No response, or one that proves nothing: the task may have received it."""

    why: str


Outcome = Sent | Refusal | Lost


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was sent (`what`: "the message", "the cancellation", or empty: it was only looked for),
    by whom, and who created the task. `cancels`: it asked the agent to stop."""

    ref: TaskRef
    what: str
    maker: Identity | None
    caller: Identity
    cancels: bool = False


def problem(outcome: Refusal | Lost, told: Delivery) -> Diagnostic:
    """Why the task did not receive what was sent, or may not have."""
    place, facts = Place(key=told.ref.key), {"ref": str(told.ref), "what": told.what}
    if isinstance(outcome, Lost):
        return error(Code.DELIVERY_UNKNOWN, at=place, why=outcome.why, **facts)
    code, case, more = _classified(outcome, told)
    return error(code, case, at=place, answer=outcome.words, **facts, **more)


def _classified(outcome: Refusal, told: Delivery) -> tuple[Code, str, dict[str, str]]:
    match outcome.status:
        case 409:
            return Code.TASK_BUSY, "cancel" if told.cancels else "", {}
        case 404 if told.caller.same_as(told.maker):
            return Code.TASK_GONE, "", {}
        case 403 | 404:
            names = {"caller": login_of(told.caller)}
            if told.maker is None or told.caller.same_as(told.maker):
                return Code.NOT_THE_CREATOR, "", names
            case = "known" if told.what else "hidden"
            return Code.NOT_THE_CREATOR, case, {**names, "creator": login_of(told.maker)}
        case 401:
            return Code.DELIVERY_REJECTED, "unauthorized", {}
        case 429:
            return Code.DELIVERY_REJECTED, "throttled", {}
    return Code.DELIVERY_REJECTED, "", {}


def login_of(identity: Identity) -> str:
    """The login, or else the id."""
    return identity.login or identity.id
