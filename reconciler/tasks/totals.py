"""Tokens that tasks have used, totaled by task, manifest, team or day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from reconciler.model.task import Identity, TaskRef, instant
from reconciler.state.model import State
from reconciler.tasks.status import MOST


class By(StrEnum):
    """What totals are grouped by."""

    TASK = "task"
    FILE = "file"
    TEAM = "team"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Usage:
    """One task that has a key, or had one. `outputs` are as the service shows them, or as last
    read. An attempt with an unknown outcome has no `task_id`."""

    ref: TaskRef
    task_id: str
    file: str
    identity: Identity
    recorded_at: datetime | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)

    @property
    def tokens(self) -> int | None:
        """None if unknown."""
        value = self.outputs.get("tokensUsed")
        return value if type(value) is int and 0 <= value <= MOST else None

    @property
    def created_at(self) -> datetime | None:
        return instant(self.outputs.get("createdAt")) or self.recorded_at

    @property
    def team(self) -> str:
        """The team of the token that created it; of a personal token, its user."""
        return self.identity.team or self.identity.login or self.identity.id

    @property
    def day(self) -> str:
        """Of its creation, UTC; empty if unknown."""
        created = self.created_at
        return f"{created.astimezone(UTC):%Y-%m-%d}" if created is not None else ""

    def name(self, by: By) -> str:
        """The group that it belongs to."""
        match by:
            case By.TASK:
                return str(self.ref)
            case By.FILE:
                return self.file
            case By.TEAM:
                return self.team
            case By.DAY:
                return self.day


@dataclass(frozen=True, slots=True)
class Sum:
    """The tokens of a group's tasks. `name` is empty if unknown."""

    name: str
    tasks: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`groups` start with the largest, those of days with the earliest. `unknown` counts the tasks
    whose usage is unknown."""

    usages: tuple[Usage, ...]
    groups: Mapping[By, tuple[Sum, ...]]
    tasks: int
    tokens: int
    unknown: int


def known_usages(state: State, refs: frozenset[TaskRef]) -> Iterator[Usage]:
    """Each task that one of these keys (or IDs in place of a key) has or had, once: recorded,
    replaced, redundant or removed; and attempts, which may have created one."""
    found: dict[str, Usage] = {}
    for ref in sorted(refs & state.records.keys()):
        record = state.records[ref]
        for task_id in (record.task_id, *record.former, *record.duplicates):
            is_current = task_id == record.task_id
            outputs = record.outputs if is_current else {}
            at = record.created_at if is_current else None
            usage = Usage(ref, task_id, record.file, record.identity, at, outputs)
            found.setdefault(task_id, usage)
    for task in state.retired.values():
        if not refs & {task.ref, TaskRef(task.ref.org_name, task.task_id)}:
            continue
        usage = Usage(
            task.ref, task.task_id, task.file, task.identity, task.created_at, task.outputs
        )
        found.setdefault(task.task_id, usage)
        for task_id in task.former:
            found.setdefault(task_id, Usage(task.ref, task_id, task.file, task.identity))
    yield from found.values()
    for attempt in state.attempts.values():
        if attempt.ref in refs and attempt.ref not in state.records:
            yield Usage(attempt.ref, "", attempt.file, attempt.identity, attempt.started_at)


def totals(
    usages: Iterable[Usage], by: Sequence[By] = (By.FILE, By.DAY), since: datetime | None = None
) -> Totals:
    """Totals of the tasks that were created `since` then; those whose creation is unknown count,
    too."""
    counted = tuple(
        usage
        for usage in usages
        if since is None or usage.created_at is None or usage.created_at >= since
    )
    tokens = [usage.tokens for usage in counted]
    return Totals(
        usages=counted,
        groups={each: _sums(counted, each) for each in by},
        tasks=len(counted),
        tokens=sum(used or 0 for used in tokens),
        unknown=tokens.count(None),
    )


def _sums(usages: Iterable[Usage], by: By) -> tuple[Sum, ...]:
    groups: dict[str, list[int]] = {}
    for usage in usages:
        groups.setdefault(usage.name(by), []).append(usage.tokens or 0)
    sums = [Sum(name, len(tokens), sum(tokens)) for name, tokens in groups.items()]
    if by is By.DAY:
        return tuple(sorted(sums, key=lambda one: one.name))
    return tuple(sorted(sums, key=lambda one: (-one.tokens, one.name)))
