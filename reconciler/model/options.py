"""The options of plan and apply, and values of options."""

from __future__ import annotations

import re
from datetime import timedelta

from reconciler.model.codes import Code
from reconciler.model.remarks import RemarkError
from reconciler.model.value import Stored

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

MAX_DURATION = timedelta(days=36_500)
"""A longer duration may lead beyond the last date that Python can represent."""

_PART = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"


def parse_duration(text: str) -> timedelta:
    """Parses `150s`, `2m30s`, `1.5h`, `7d` or `0`. Raises RemarkError for anything else, and for
    more than MAX_DURATION."""
    if text.strip() == "0":
        return timedelta()
    if not re.fullmatch(f"(?:{_PART})+", text.strip()):
        raise RemarkError(Code.USAGE, "duration", text=text)
    seconds = sum(float(n) * _UNITS[unit] for n, unit in re.findall(_PART, text))
    if seconds > MAX_DURATION.total_seconds():
        raise RemarkError(Code.USAGE, "longDuration", text=text, days=MAX_DURATION.days)
    return timedelta(seconds=seconds)


SETTLE_TIME = timedelta(seconds=150)
"""The default."""

MIN_SETTLE_TIME = timedelta(milliseconds=100)
"""A shorter settle time would leave no time to send a request."""

MAX_SETTLE_TIME = timedelta(days=366)
"""A state with a longer one is damaged."""


def parse_settle_time(text: str) -> timedelta:
    """Parses a settle time. Raises RemarkError for anything else, and if it is too short or too
    long."""
    found = parse_duration(text)
    if found > MAX_SETTLE_TIME:
        raise RemarkError(Code.USAGE, "longDuration", text=text, days=MAX_SETTLE_TIME.days)
    if found < MIN_SETTLE_TIME:
        raise RemarkError(Code.USAGE, "settleTime", text=text)
    return found


class PlanOptions(Stored, frozen=True):
    """Every flag that changes what apply would do. `plan` has the same flags, and a saved plan
    stores them.

    `allow_recreate`: KEY or ORG/KEY each, or `*` for all. `max_creates` None: no limit. `target`:
    keys or globs, see `plan/selection.py`. `over_budget`: create tasks even if the Neo token budget
    is exhausted. `update`: patch settings that can be changed in place. `replace`: a key, a glob or
    `KEY=TASK_ID` each, and `retry`: a key or a glob each (in later waves `KEY=TASK_ID`), see
    `plan/replacement.py`. `wait`: also create held tasks once the tasks that they wait for are
    done.
    """

    settle_time: timedelta = SETTLE_TIME
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
