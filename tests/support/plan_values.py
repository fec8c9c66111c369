"""Short constructors of desired, recorded and remote tasks, and of plans of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model.canonical import digest
from reconciler.model.clock import Clocks
from reconciler.model.options import PlanOptions
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.planner import PlanInputs, make_plan
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ME = Identity("user-1", login="me")
SOMEONE = Identity("user-2", login="someone")
ORG = "acme"
BOOT = 1_000_000.0
"""Seconds since boot at NOW."""


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def mark_of(moment: datetime) -> str:
    """The mark of an attempt at this time, which must be in whole milliseconds."""
    moment = moment.astimezone(UTC) + timedelta(microseconds=1)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def inputs(text: str = "do it", **settings: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"content": text}
    if "entities" in settings:
        message["entity_diff"] = {"add": settings.pop("entities")}
    return {"message": message, **settings}


def desired(key: str, text: str | None = None, **more: Any) -> DesiredTask:
    fields: dict[str, Any] = {
        name: more.pop(name)
        for name in ("task_id", "moved_from", "adopt", "org_from_manifest", "file")
        if name in more
    }
    org_name = more.pop("org_name", ORG)
    made = inputs(text or f"work of {key}", **more)
    place: dict[str, Any] = {"file": "tasks/a.yaml", "line": 3, "column": 3, **fields}
    return DesiredTask(key, org_name, made, **place)


def record(key: str, task_id: str, text: str | None = None, **more: Any) -> Record:
    fields: dict[str, Any] = {
        name: more.pop(name)
        for name in ("identity", "created_at", "marks", "pending", "file")
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


def attempt(key: str, mark: datetime, text: str | None = None, **more: Any) -> Attempt:
    """Sent at `mark`, and waited for since."""
    made = more.pop("inputs", None) or inputs(text or f"work of {key}")
    base: dict[str, Any] = {
        "identity": ME,
        "file": "tasks/a.yaml",
        "started_at": mark,
        "settle_time": 150.0,
        "waited": (NOW - mark).total_seconds(),
        **more,
    }
    return Attempt(
        ref=TaskRef(base.pop("org_name", ORG), key),
        mark=base.pop("mark", mark_of(mark)),
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


def message(text: str, mark: datetime | str = NOW, entities: Iterable[Any] = ()) -> FirstMessage:
    shown = mark if isinstance(mark, str) else mark_of(mark)
    return FirstMessage(shown, text, tuple(entities))


def view(
    tasks: Iterable[RemoteTask] = (),
    messages: Mapping[str, FirstMessage | None] | None = None,
    **more: Any,
) -> RemoteView:
    absent = frozenset(TaskId(ORG, i) for i in more.pop("absent", ()))
    unreadable = {TaskId(ORG, i): why for i, why in more.pop("unreadable", {}).items()}
    base: dict[str, Any] = {
        "identity": ME,
        "clocks": Clocks(more.pop("now", NOW), BOOT, more.pop("service_now", NOW)),
        **more,
    }
    return RemoteView(
        tasks={TaskId(t.org_name, t.id): t for t in tasks},
        messages={TaskId(ORG, i): m for i, m in (messages or {}).items()},
        absent=absent,
        unreadable=unreadable,
        **base,
    )


def state(records: Iterable[Record] = (), attempts: Iterable[Attempt] = (), **more: Any) -> State:
    return State(
        lineage="lineage",
        serial=1,
        backend="https://api.example.com",
        records={r.ref: r for r in records},
        attempts={a.mark: a for a in attempts},
        **more,
    )


def plan(
    declared: Iterable[DesiredTask],
    known: State | None = None,
    seen: RemoteView | None = None,
    options: PlanOptions | None = None,
    **more: Any,
) -> Plan:
    inputs = PlanInputs(
        tuple(declared),
        known if known is not None else state(),
        options or PlanOptions(),
        limit=more.pop("only", None),
        **{name: value for name, value in more.items() if name not in ("progress", "left")},
    )
    left = more.get("left", dict.fromkeys(inputs.state.records, TaskState.DONE))
    return make_plan(inputs, seen if seen is not None else view(), more.get("progress", {}), left)


def only(made: Plan) -> PlannedTask:
    (task,) = made.tasks
    return task


def decision(task: PlannedTask) -> tuple[Action, Reason]:
    return task.action, task.reason


def actions(made: Plan) -> dict[str, str]:
    """The action of each key."""
    return {task.ref.key: task.action.value for task in made.tasks}
