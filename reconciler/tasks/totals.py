"""Tokens that tasks have used, totaled by task, manifest, team or day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from reconciler.model.identity import Identity
from reconciler.model.options import By
from reconciler.model.task import TaskRef, instant, natural
from reconciler.model.value import Value, field
from reconciler.state.attempt import RetiredTask
from reconciler.state.model import Record, State
from reconciler.tasks.status import count_in


class Usage(Value, frozen=True):
    """A task that has or had a key. `outputs` are current or as last read. An attempt with an
    unknown outcome has an empty `task_id`."""

    ref: TaskRef
    task_id: str
    file: str
    identity: Identity
    recorded_at: datetime | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)

    @property
    def tokens(self) -> int | None:
        """None if unknown."""
        return count_in(self.outputs, "tokensUsed")

    @property
    def created_at(self) -> datetime | None:
        return instant(self.outputs.get("createdAt")) or self.recorded_at

    @property
    def team(self) -> str:
        """The team of the token that created it; for a personal token, the user."""
        return self.identity.team or self.identity.login or self.identity.id

    @property
    def day(self) -> str:
        """The date of its creation, UTC; empty if unknown."""
        created = self.created_at
        return f"{created.astimezone(UTC):%Y-%m-%d}" if created is not None else ""

    def group(self, by: By) -> str:
        """The name of its group."""
        groups = {By.TASK: str(self.ref), By.FILE: self.file, By.TEAM: self.team, By.DAY: self.day}
        return groups[by]


class GroupTotal(Value, frozen=True):
    """The tokens of a group's tasks. `name` is empty if unknown."""

    name: str
    tasks: int
    tokens: int


class Totals(Value, frozen=True):
    """`groups` start with the largest, except days, which start with the earliest. `unknown`
    counts the tasks whose usage is unknown."""

    usages: tuple[Usage, ...]
    groups: Mapping[By, tuple[GroupTotal, ...]]
    tasks: int
    tokens: int
    unknown: int


def known_usages(state: State, refs: frozenset[TaskRef]) -> Iterator[Usage]:
    """Each task that one of these keys has or had (an ID may take the place of a key), once:
    recorded, replaced, duplicate or removed. Also attempts, which may have created a task."""
    usages: dict[str, Usage] = {}
    owners: list[Record | RetiredTask] = [
        state.records[r] for r in sorted(refs & state.records.keys(), key=natural)
    ]
    owners += (
        task
        for task in state.retired.values()
        if refs & {task.ref, TaskRef(task.ref.org_name, task.task_id)}
    )
    for owner in owners:
        ref, file, identity = owner.ref, owner.file, owner.identity
        current = Usage(ref, owner.task_id, file, identity, owner.created_at, owner.outputs)
        usages.setdefault(owner.task_id, current)
        for task_id in owner.former:
            usages.setdefault(task_id, Usage(ref, task_id, file, identity))
    for extra in state.duplicates.values():
        if refs & {extra.ref, TaskRef(extra.ref.org_name, extra.task_id)}:
            usage = Usage(extra.ref, extra.task_id, extra.file, extra.identity)
            usages.setdefault(extra.task_id, usage)
    yield from usages.values()
    for attempt in state.attempts.values():
        if attempt.ref in refs and attempt.ref not in state.records:
            yield Usage(attempt.ref, "", attempt.file, attempt.identity, attempt.started_at)


def totals(
    usages: Iterable[Usage], by: Sequence[By] = (By.FILE, By.DAY), since: datetime | None = None
) -> Totals:
    """Totals of the tasks created at `since` or later; those with an unknown creation time are
    included."""
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


def _sums(usages: Iterable[Usage], by: By) -> tuple[GroupTotal, ...]:
    groups: dict[str, list[int]] = {}
    for usage in usages:
        groups.setdefault(usage.group(by), []).append(usage.tokens or 0)
    sums = [GroupTotal(name, len(tokens), sum(tokens)) for name, tokens in groups.items()]
    sums.sort(key=lambda group: group.name)
    return tuple(sums if by is By.DAY else sorted(sums, key=lambda group: -group.tokens))
