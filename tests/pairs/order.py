"""Which creates were too early, judged by the tasks at the service: an oracle for pilots, `atOnce`,
`stopAfter`, `overlap` and `after`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tests.pairs.features import Row

WORK_SECONDS = 60.0
"""How long each task works."""


class Created(NamedTuple):
    """A create that the service got. `at`: in seconds."""

    key: str
    at: float


def held_by(
    row: Row,
    keys: Collection[str],
    earlier: Sequence[Created],
    new: Created,
    merges: Sequence[float] = (),
) -> list[str]:
    """The features that did not allow a create. `keys`: all of `job`. `earlier`: all creates before
    this one. `merges`: when all open pull requests were merged. A task that was replaced counts no
    more."""
    latest = {created.key: created.at for created in earlier}
    ended = {key for key, at in latest.items() if at + WORK_SECONDS <= new.at}
    failed = ended.intersection(keys) if row["expect"] == "unmet" else set()
    merged = max((at for at in merges if at <= new.at), default=0.0)
    to_merge = {key for key in ended if latest[key] + WORK_SECONDS > merged} & {*keys}
    finished = ended - to_merge if row["expect"] == "merged" else ended
    done = finished - failed
    others = latest.keys() & set(keys) - {new.key}
    near = {key for key in keys if _period(key) == _period(new.key)}
    if new.key not in keys:
        return ["after"] if new.key.startswith("afterwards") and near - done else []
    pilots = {key for key in near if _row(key) == "a"}
    past = {key for key in keys if _row(key) == _row(new.key) and _period(key) < _period(new.key)}
    has_rollout = any(row[name] for name in ("pilot", "atOnce", "stopAfter"))
    problems = {
        "after": row["after"] == "waits" and "before" not in done,
        "overlap": row["overlap"] and past - ended,
        "pilot": (row["pilot"] == "number" and others & near and not near & done)
        or (row["pilot"] == "matcher" and new.key not in pilots and pilots - done),
        "atOnce": row["atOnce"] and others - finished,
        "stopAfter": has_rollout and failed & others & near,
    }
    return [name for name, is_so in problems.items() if is_so]


def _row(key: str) -> str:
    return next((part for part in key.split("@")[1:] if not part.startswith("20")), "")


def _period(key: str) -> str:
    return next((part for part in key.split("@")[1:] if part.startswith("20")), "")
