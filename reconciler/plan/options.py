"""The options of plan and apply."""

from __future__ import annotations

from datetime import timedelta

from reconciler.model.options import SETTLE_TIME
from reconciler.model.value import Stored


class PlanOptions(Stored, frozen=True):
    """Every flag that changes what apply would do. `plan` has the same flags, and a saved plan
    stores them.

    `adopt`: adopt look-alikes of this user, and tasks that an attempt may have created.
    `allow_recreate`: KEY or ORG/KEY each, or `*` for all. `max_creates` None: no limit. `target`:
    keys or globs, see `plan/selection.py`. `over_budget`: create tasks even if the
    Neo token budget is exhausted.
    `update`: patch what can be changed in place. `replace`: a key, a glob or `KEY=TASK_ID` each,
    and `retry`: a key or a glob each (in later waves `KEY=TASK_ID`), see `plan/replacement.py`.
    `wait`: also create held tasks once the tasks that they wait for are
    done.
    """

    settle_time: timedelta = SETTLE_TIME
    adopt: bool = False
    allow_recreate: tuple[str, ...] = ()
    max_creates: int | None = None
    target: tuple[str, ...] = ()
    over_budget: bool = False
    update: bool = False
    replace: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    wait: bool = False


def flag_of(name: str) -> str:
    """The flag of a field, `max_creates`: `--max-creates`."""
    return "--" + name.replace("_", "-")
