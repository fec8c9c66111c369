"""Why a task did not accept a message: the code for each response of the service."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.messages import plain_text
from reconciler.model.codes import Code
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.state.model import Record
from reconciler.tasks.delivery import Lost, Refusal, delivery_error

ME, OTHER = Identity("1", login="me"), Identity("2", login="other")


def sent(creator: Identity = ME, what: str = "the message", **more: bool) -> dict[str, Any]:
    record = Record(
        ref=TaskRef("acme", "keys"),
        task_id="task-1",
        file="a.yaml",
        inputs={},
        digest="",
        identity=creator,
    )
    return {"record": record, "caller": ME, "what": what, **more}


@pytest.mark.parametrize(
    ("failed", "sent", "code", "case"),
    [
        (Refusal(409, "busy"), sent(), Code.TASK_BUSY, ""),
        (Refusal(409, "busy"), sent(cancels=True), Code.TASK_BUSY, "cancel"),
        (Refusal(404, "none"), sent(), Code.TASK_GONE, ""),
        (Refusal(403, "no"), sent(), Code.NOT_THE_CREATOR, ""),
        (Refusal(403, "no"), sent(OTHER), Code.NOT_THE_CREATOR, "known"),
        (Refusal(404, "none"), sent(OTHER, ""), Code.NOT_THE_CREATOR, "hidden"),
        (Refusal(401, "token"), sent(), Code.DELIVERY_REJECTED, "unauthorized"),
        (Refusal(429, "slow"), sent(), Code.DELIVERY_REJECTED, "throttled"),
        (Refusal(400, "bad"), sent(), Code.DELIVERY_REJECTED, ""),
        (Lost("reset"), sent(), Code.DELIVERY_UNKNOWN, ""),
    ],
)
def test_a_refusal_has_a_code(
    failed: Refusal | Lost, sent: dict[str, Any], code: Code, case: str
) -> None:
    found = delivery_error(failed, **sent)
    assert (found.code, found.case) == (code, case)
    assert plain_text(found).startswith("acme/keys: ")
