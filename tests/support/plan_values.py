"""Short constructors of desired, recorded and remote tasks, and of plans of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model.canonical import digest
from reconciler.model.clock import Clocks
from reconciler.model.options import PlanOptions
from reconciler.model.reference import Reference
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.explain import explain
from reconciler.plan.explanation import Explanation
from reconciler.plan.facts import Facts, Listing
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.selection import EVERYTHING
from reconciler.plan.steps import Inputs, make_plan
from reconciler.state.attempt import Attempt, Baseline, Provenance
from reconciler.state.model import Record, State

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ME = Identity("user-1", login="me")
SOMEONE = Identity("user-2", login="someone")
ORG = "acme"
STATE_ID = "babab-babab-babab"
BOOT = 1_000_000.0
"""Seconds since boot at NOW."""


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def inputs(text: str = "do it", **settings: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"content": text}
    if "entities" in settings:
        message["entity_diff"] = {"add": settings.pop("entities")}
    return {"message": message, **settings}


def desired(key: str, text: str | None = None, **more: Any) -> DesiredTask:
    fields: dict[str, Any] = {
        name: more.pop(name)
        for name in ("task_id", "moved_from", "org_from_manifest", "file")
        if name in more
    }
    org_name = more.pop("org_name", ORG)
    made = inputs(text or f"work of {key}", **more)
    place: dict[str, Any] = {"file": "tasks/a.yaml", "line": 3, "column": 3, **fields}
    return DesiredTask(key, org_name, made, **place)


def record(key: str, task_id: str, text: str | None = None, **more: Any) -> Record:
    fields: dict[str, Any] = {
        name: more.pop(name)
        for name in (
            "identity",
            "created_at",
            "reference",
            "number",
            "spent",
            "former",
            "pending",
            "file",
        )
        if name in more
    }
    org_name = more.pop("org_name", ORG)
    made = inputs(text or f"work of {key}", **more)
    base: dict[str, Any] = {
        "file": "tasks/a.yaml",
        "identity": ME,
        "created_at": ago(days=1),
        **fields,
    }
    return Record(
        ref=TaskRef(org_name, key), task_id=task_id, inputs=made, digest=digest(made), **base
    )


def reference(key: str, number: int = 1, state_id: str = STATE_ID) -> Reference:
    return Reference(key, number, state_id)


def attempt(key: str, at: datetime, text: str | None = None, **more: Any) -> Attempt:
    """Sent at this time, and waited for since, with the number 1 unless it is given."""
    made = more.pop("inputs", None) or inputs(text or f"work of {key}")
    base: dict[str, Any] = {
        "identity": ME,
        "file": "tasks/a.yaml",
        "started_at": at,
        "settle_time": 150.0,
        "waited": (NOW - at).total_seconds(),
        **more,
    }
    number = base.pop("number", 1)
    return Attempt(
        ref=TaskRef(base.pop("org_name", ORG), key),
        reference=base.pop("reference", str(reference(key, number))),
        inputs=made,
        digest=digest(made),
        **base,
    )


def remote(task_id: str, created: datetime | None = None, **raw: Any) -> RemoteTask:
    shown = {
        "id": task_id,
        "name": "made up",
        "createdAt": rfc3339(created or ago(days=1)),
        "createdBy": {"githubLogin": "me", "name": "Me"},
        **raw,
    }
    return RemoteTask(shown.pop("org_name", ORG), task_id, shown)


def message(
    text: str, shown: Reference | None = None, entities: Iterable[Any] = ()
) -> FirstMessage:
    return FirstMessage(text, tuple(entities), shown)


def facts(
    tasks: Iterable[RemoteTask] = (),
    messages: Mapping[str, FirstMessage | None] | None = None,
    **more: Any,
) -> Facts:
    """What was read of one organization: the tasks with a message, or with an `unreadable` one, are
    those that the state does not know; `unproven`: the list is not reliable."""
    tasks = tuple(tasks)
    absent = frozenset(TaskId(ORG, i) for i in more.pop("absent", ()))
    unreadable = {TaskId(ORG, i): why for i, why in more.pop("unreadable", {}).items()}
    read = {TaskId(ORG, i): m for i, m in (messages or {}).items()}
    base: dict[str, Any] = {
        "identity": ME,
        "clocks": Clocks(more.pop("now", NOW), BOOT, more.pop("service_now", NOW)),
    }
    unknown = [t.id for t in tasks if TaskId(ORG, t.id) in {*read, *unreadable}]
    newest = Baseline(ORG, tuple(t.id for t in reversed(tasks)), ME)
    listing = Listing(tuple(unknown), newest, more.pop("unproven", None))
    base |= {"lists": {ORG: listing}, **more}
    return Facts(
        tasks={TaskId(t.org_name, t.id): t for t in tasks},
        messages=read,
        absent=absent,
        unreadable=unreadable,
        **base,
    )


PROVENANCE = Provenance(
    (STATE_ID,), ago(days=30), counter=1, is_new=True, explained=(ORG,), is_kept=True
)


def state(records: Iterable[Record] = (), attempts: Iterable[Attempt] = (), **more: Any) -> State:
    more.setdefault("provenance", PROVENANCE)
    return State(
        lineage="lineage",
        serial=1,
        backend="https://api.example.com",
        records={r.ref: r for r in records},
        attempts={a.number: a for a in attempts},
        **more,
    )


def explained(given: Inputs, seen: Facts) -> Explanation:
    return explain(given.state, seen, given.declared, given.options.settle_time, given.ages)


def plan(
    declared: Iterable[DesiredTask],
    known: State | None = None,
    seen: Facts | None = None,
    options: PlanOptions | None = None,
    **more: Any,
) -> Plan:
    """The plan, of the keys `only`; `progress` and `left` are facts."""
    selection = EVERYTHING.within(more.pop("only", None))
    read = {name: more.pop(name) for name in ("progress", "left") if name in more}
    given = Inputs(
        tuple(declared),
        known if known is not None else state(),
        options or PlanOptions(),
        selection=selection,
        **more,
    )
    read.setdefault("left", dict.fromkeys(given.state.records, TaskState.DONE))
    seen = replace(seen if seen is not None else facts(), **read)
    return make_plan(given, seen, explained(given, seen))


def only(made: Plan) -> PlannedTask:
    (task,) = made.tasks
    return task


def decision(task: PlannedTask) -> tuple[Action, Reason]:
    return task.action, task.reason


def actions(made: Plan) -> dict[str, str]:
    """The action of each key."""
    return {task.ref.key: task.action.value for task in made.tasks}
