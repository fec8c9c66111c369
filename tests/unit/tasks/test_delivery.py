"""Why a task did not accept a message: the code for each response of the service."""

from __future__ import annotations

import pytest

from reconciler.messages import plain_text
from reconciler.model.codes import Code
from reconciler.model.task import Identity, TaskRef
from reconciler.tasks.delivery import Delivery, Lost, Refusal, delivery_error

ME, OTHER = Identity("1", login="me"), Identity("2", login="other")


def delivery(creator: Identity | None = ME, what: str = "the message", **more: bool) -> Delivery:
    return Delivery(TaskRef("acme", "keys"), what, creator, ME, **more)


@pytest.mark.parametrize(
    ("outcome", "sent", "code", "case"),
    [
        (Refusal(409, "busy"), delivery(), Code.TASK_BUSY, ""),
        (Refusal(409, "busy"), delivery(cancels=True), Code.TASK_BUSY, "cancel"),
        (Refusal(404, "none"), delivery(), Code.TASK_GONE, ""),
        (Refusal(404, "none"), delivery(None), Code.NOT_THE_CREATOR, ""),
        (Refusal(403, "no"), delivery(OTHER), Code.NOT_THE_CREATOR, "known"),
        (Refusal(404, "none"), delivery(OTHER, ""), Code.NOT_THE_CREATOR, "hidden"),
        (Refusal(401, "token"), delivery(), Code.DELIVERY_REJECTED, "unauthorized"),
        (Refusal(429, "slow"), delivery(), Code.DELIVERY_REJECTED, "throttled"),
        (Refusal(400, "bad"), delivery(), Code.DELIVERY_REJECTED, ""),
        (Lost("reset"), delivery(), Code.DELIVERY_UNKNOWN, ""),
    ],
)
def test_a_refusal_has_a_code(
    outcome: Refusal | Lost, sent: Delivery, code: Code, case: str
) -> None:
    found = delivery_error(outcome, sent)
    assert (found.code, found.case) == (code, case)
    assert plain_text(found).startswith("acme/keys: ")
