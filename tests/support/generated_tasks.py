"""Tasks that entries generate, and their records, for tests of plans."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from reconciler.model.task import DesiredTask, Generated, Rollout, TaskOrigin
from reconciler.model.value import replace
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record
from tests.support import plan_values

FILE = "tasks/a.yaml"
DUE = {(FILE, "review"): "2026-11"}


def rows(*names: str, rollout: Rollout | None = None, pilot: int = 0) -> list[DesiredTask]:
    """The tasks of the entry `t`, one for each row."""
    return [
        replace(
            plan_values.desired(f"t@{name}"),
            origin=TaskOrigin(
                Generated("t", {"row": name}),
                row_file="data.csv",
                row_line=n + 2,
                position=n,
                rollout=rollout,
                is_pilot=n < pilot,
            ),
        )
        for n, name in enumerate(names)
    ]


def made(name: str, task_id: str, **more: Any) -> Record:
    """The record of a row of the entry `t`."""
    record = plan_values.record(f"t@{name}", task_id)
    return replace(record, generated=Generated("t", {"row": name}), **more)


def review(period: str = "2026-11", **origin: Any) -> DesiredTask:
    """The task of a month of the entry `review`, whose prompt never changes."""
    generated = TaskOrigin(Generated("review", {}, period), **origin)
    return replace(plan_values.desired(f"review@{period}", "review costs"), origin=generated)


def reviewed(period: str, task_id: str, **more: Any) -> Record:
    """The record of a month of the entry `review`."""
    record = plan_values.record(f"review@{period}", task_id, "review costs")
    return replace(record, generated=Generated("review", {}, period), **more)


def trying(period: str, at: datetime, **more: Any) -> Attempt:
    """An open attempt for a month of the entry `review`."""
    attempt = plan_values.attempt(f"review@{period}", at, "review costs", **more)
    return replace(attempt, generated=Generated("review", {}, period))


def ids(records: Iterable[Record]) -> list[str]:
    return [record.task_id for record in records]
