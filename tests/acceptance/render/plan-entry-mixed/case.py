"""An entry whose tasks have different actions, and rows that no longer exist."""

from __future__ import annotations

from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Reason
from reconciler.state.model import Record
from tests.support.entry_sample import PROMPT, ROWS, as_planned, generated, plan_of
from tests.support.plan_sample import task

ADA = Identity("user-1", login="ada")


def orphan(key: str, row: dict[str, str]):
    made = generated(row)
    record = Record(
        ref=replace(made, key=key).ref,
        task_id="t-1",
        file=made.file,
        inputs=made.inputs,
        digest="",
        identity=ADA,
        generated=made.generated,
    )
    return task(
        key,
        Action.ORPHANED,
        Reason.REMOVED,
        file=made.file,
        line=None,
        task_id="t-1",
        record=record,
        remarks=(remark("orphaned", ref=f"acme/{key}"),),
    )


def changed(row: dict[str, str], number: int):
    name = row["repo.name"]
    before = PROMPT.replace("minor", "major").replace("{{ repo.name }}", name)
    after = PROMPT.replace("{{ repo.name }}", name)
    return as_planned(
        generated(row, number),
        Action.CHANGED,
        Reason.CHANGED,
        diff=(Change("message.content", before, after, Origin.MANIFEST),),
        task_id=f"t-{number}",
    )


def drifted(number: int, change: Change):
    made = generated(ROWS[number], number)
    return as_planned(made, Action.CHANGED, Reason.CHANGED, diff=(change,), task_id=f"t-{number}")


REPORT = plan_of(
    [
        *(as_planned(generated(row, number)) for number, row in enumerate(ROWS[:3])),
        *(changed(row, number) for number, row in enumerate(ROWS[3:6], 3)),
        drifted(6, Change("permissionMode", "default", "read-only", Origin.REMOTE)),
        drifted(7, Change("approvalMode", "auto", "balanced", Origin.REMOTE)),
        *(
            as_planned(
                generated(row, number),
                Action.UNRESOLVED,
                Reason.SETTLING,
                remarks=(
                    remark("attempt.settling", at=f"2026-11-24 11:59:0{number} UTC", seconds=42),
                ),
            )
            for number, row in enumerate(ROWS[8:10], 8)
        ),
        *(
            as_planned(generated(row, number), Action.UNCHANGED, Reason.SAME, task_id=f"t-{number}")
            for number, row in enumerate(ROWS[10:20], 10)
        ),
        *(
            orphan(f"upgrade@{name}", {"repo.name": name, "repo.owner": "nobody"})
            for name in ("legacy", "poc")
        ),
    ]
)
