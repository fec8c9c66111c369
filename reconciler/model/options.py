"""What a user may set, read from text once: durations and the options of plan and apply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.model.codes import Code
from reconciler.model.errors import TaskctlError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str) -> timedelta:
    """`150s`, `2m30s`, `1.5h`, `7d`; a bare `0` too. Anything else: TaskctlError."""
    if text.strip() == "0":
        return timedelta()
    if not _DURATION.fullmatch(text.strip()):
        raise TaskctlError.of(Code.INVALID_DURATION, text=text)
    return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)))


class AdoptScope(StrEnum):
    """Which unrecorded tasks are looked at before one is created."""

    ALL = "all"
    RECENT = "recent"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Every flag that changes what apply would do: plan has it too, a saved plan keeps it.

    `adopt` None: `all` on a new state, else `recent`. `allow_recreate`: keys, or `*` for every one.
    `max_creates` None: no limit. `target` and `exclude`: keys or globs, see `plan/selection.py`.
    `over_budget`: create though the Neo token budget is used up.
    `update`: patch what can be changed in place. `replace`: `KEY` or `KEY=TASK_ID` each, see
    `plan/replacing.py`; `cancel_replaced`: and cancel the tasks that were there before.
    `cancel_removed`: cancel the tasks of keys that a manifest lists under `removed`. `wait`: create
    what is held as well, once the tasks that it waits for are done.
    See contract, sections 3 and 4.
    """

    settle_time: timedelta = timedelta(seconds=150)
    adopt: AdoptScope | None = None
    adopt_limit: int = 1000
    allow_recreate: tuple[str, ...] = ()
    max_creates: int | None = None
    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    over_budget: bool = False
    update: bool = False
    replace: tuple[str, ...] = ()
    cancel_replaced: bool = False
    cancel_removed: bool = False
    wait: bool = False
