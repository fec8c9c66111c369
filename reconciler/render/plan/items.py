"""The tasks of a plan as items: the tasks of an entry are one item, with a row for each, and so are
similar tasks that are neither created nor differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple, TypeVar

from reconciler.model.canonical import digest
from reconciler.model.task import Inputs, TaskRef, text_of
from reconciler.model.value import Value
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render.plan.tasks import ORDER, PlannedView
from reconciler.render.style import labelled
from reconciler.render.task_view import Block, TaskView
from reconciler.render.text_diff import OF_MANY, USUAL, PromptExcerpt

V = TypeVar("V", bound=TaskView)

EMPTY = '""'
COUNTED = {
    "create": "to create",
    "adopt": "to adopt",
    "replace": "to replace",
    "move": "to move",
    "update": "to update",
    "changed": "differ{s}",
    "forget": "to forget",
}
"""The labels of actions in counts, if they differ from the actions. `{s}` is `s` for a single task,
else empty."""

SIMILAR = 4
"""From this number on, similar tasks are a group with a line for each."""

_KEYS, _IDS = 3, 20  # keys and IDs that are listed; the others are counted


class TaskGroup(Value, frozen=True):
    """Tasks that have the same remarks, except for names and values."""

    tasks: tuple[PlannedView, ...]

    @property
    def first(self) -> PlannedView:
        return self.tasks[0]

    @property
    def notes_differ(self) -> bool:
        """Whether the notes differ, for example in the keys that they mention."""
        return len({task.why for task in self.tasks}) > 1

    @property
    def hints_differ(self) -> bool:
        return any(task.hints != self.first.hints for task in self.tasks)

    @property
    def ids(self) -> str:
        """`; task IDs: A, B`, of several tasks that are forgotten or replaced."""
        if len(self.tasks) == 1 or self.first.task.action not in (Action.FORGET, Action.REPLACE):
            return ""
        ids = [str(task.task_id) for task in self.tasks]
        more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
        return f"; task IDs: {', '.join(ids[:_IDS])}{more}"

    def prompts(self) -> list[str]:
        """The prompt of a task to create."""
        return [] if self.first.inputs is None else [text_of(self.first.inputs) or ""]


class EntryView(Value, frozen=True):
    """`tasks` are the shown tasks, by action, period and position; `counts` has all tasks of the
    entry by action."""

    ref: TaskRef
    tasks: tuple[PlannedView, ...]
    counts: Mapping[Action, int]

    @property
    def first(self) -> PlannedView:
        return self.tasks[0]

    @property
    def unattended(self) -> bool:
        return any(task.unattended for task in self.tasks)

    @property
    def is_removed(self) -> bool:
        """Whether the entry is no longer in any manifest, so that all of its tasks are orphaned."""
        return all(view.task.reason is Reason.REMOVED for view in self.tasks)

    @property
    def template(self) -> Inputs | None:
        """The settings as written in the manifest, if any task of the entry does not exist yet."""
        for task in (view.task for view in self.tasks):
            if task.desired is not None and task.desired.origin and task.task_id is None:
                return task.desired.origin.template
        return None

    def prompts(self) -> list[str]:
        """The prompt of the entry, if it is shown."""
        return [] if self.template is None else [text_of(self.template) or ""]

    def summary(self) -> str:
        """`40 tasks: 2 to create, 38 held`, or just `40 to create`."""
        if self.is_removed:
            return f"{len(self.tasks):,} tasks of an entry that is no longer in any manifest"
        parts = [f"{n:,} {labelled(a, n, COUNTED)}" for a in Action if (n := self.counts[a])]
        total = sum(self.counts.values())
        return f"{total:,} tasks: {', '.join(parts)}" if len(parts) > 1 else parts[0]

    # Values

    def label(self, task: PlannedView) -> str:
        """The part of the task's key after the entry's key: `@network-eu@2026-11`."""
        return task.key.removeprefix(self.ref.key)

    def value_names(self) -> list[str]:
        """The names of the values that need a column: neither part of every key nor equal for all
        tasks."""
        names = dict.fromkeys(name for task in self.tasks for name in task.values)
        shared = self._shared_values()
        return [
            name
            for name in names
            if name not in shared
            and not all(self._is_in_key(task.values.get(name, ""), task) for task in self.tasks)
        ]

    def shared_values(self) -> str:
        """`same for all: repo.branch main, repo.team ""`; empty if no value is shared."""
        same = [f"{name} {value or EMPTY}" for name, value in self._shared_values().items()]
        return f"same for all: {', '.join(same)}" if same else ""

    def _shared_values(self) -> dict[str, str]:
        """The values that all tasks share and no key contains, by name."""
        return {
            name: value
            for name, value in self.first.values.items()
            if all(task.values.get(name) == value for task in self.tasks)
            and not self._is_in_key(value, self.first)
        }

    def _is_in_key(self, value: str, task: PlannedView) -> bool:
        return bool(value) and f"-{value}-" in f"-{self.label(task).replace('@', '-')}-"

    # Remarks

    def parts(self) -> list[TaskGroup]:
        found: dict[str, list[PlannedView]] = {}
        for task in self.tasks:
            found.setdefault(digest(task.similarity_key()), []).append(task)
        return [TaskGroup(tuple(alike)) for alike in found.values()]

    def subject(self, part: TaskGroup) -> str:
        """The action of a group, and its tasks, unless it has all tasks with this action."""
        action = part.first.task.action
        if len(part.tasks) == self.counts[action]:
            return part.first.label
        labels = [self.label(task) for task in part.tasks]
        more = f" and {len(labels) - _KEYS} more" if len(labels) > _KEYS else ""
        return f"{part.first.label} {', '.join(labels[:_KEYS])}{more}"

    def sentence(self, part: TaskGroup) -> str:
        """The subject and the note of a group; empty without a note."""
        example = f", as in {part.first.key}" if part.notes_differ else ""
        note = part.first.note
        return f"{self.subject(part)}{example}: {note}{part.ids}" if note else ""

    def remarks(self) -> Iterator[Block]:
        """The remarks about its tasks, for formats that can fold them."""
        for part in self.parts():
            yield self.sentence(part)
            if part.first.diff:
                yield f"{self.subject(part)}, as in `{part.first.key}`:"
                yield list(part.first.diff)
            yield from chain.from_iterable(part.first.hints)
            if part.hints_differ:
                yield "And the same for the other keys."


def fold_entries(plan: Plan, shown: Iterable[V]) -> list[V | EntryView]:
    """The tasks in their order; several tasks of one entry are one item."""
    counts: dict[TaskRef, Counter[Action]] = {}
    for task in plan.tasks:
        if (entry := _entry_of(task)) is not None:
            counts.setdefault(entry, Counter())[task.action] += 1
    members: dict[tuple[bool, TaskRef], list[V]] = {}
    for view in shown:
        entry = _entry_of(view.task) if isinstance(view, PlannedView) else None
        members.setdefault((entry is not None, entry or view.ref), []).append(view)
    items: list[V | EntryView] = []
    for (is_entry, ref), views in members.items():
        planned = [view for view in views if isinstance(view, PlannedView)]
        if is_entry and len(planned) > 1:
            items.append(EntryView(ref, tuple(sorted(planned, key=_place)), counts[ref]))
        else:
            items += views
    return items


def _entry_of(task: PlannedTask) -> TaskRef | None:
    """The entry that a task comes from; None for a task that is not generated, or is shown in the
    table of found tasks."""
    generated = task.generated if task.found is None else None
    return TaskRef(task.ref.org_name, generated.entry) if generated is not None else None


def _place(view: PlannedView) -> tuple[object, ...]:
    """The sort key of an entry's tasks: action, period, and position in the manifest."""
    task = view.task
    origin = task.desired.origin if task.desired is not None else None
    period = task.generated.period if task.generated is not None else None
    return (ORDER[task.action], period or "", origin.position if origin else 0)


MANY = 30
"""With more prompts than this, only the beginning of each is shown."""


class PlanItems(NamedTuple):
    """The items of a plan, in order, and how much of each prompt is shown."""

    items: list[TaskGroup | EntryView]
    excerpt: PromptExcerpt

    def shortened(self) -> int:
        """The number of prompts that are not shown completely."""
        prompts = (prompt for item in self.items for prompt in item.prompts())
        return sum(self.excerpt.lines_left(prompt) > 0 for prompt in prompts)


def items_of(plan: Plan, shown: Iterable[PlannedView]) -> PlanItems:
    """Entries and groups of similar tasks as one item each, at the position of the first task. A
    task that is created or differs is an item by itself."""
    folded = fold_entries(plan, shown)
    alike: dict[str, list[PlannedView]] = {}
    for item in folded:
        if isinstance(item, PlannedView):
            own = str(item.ref) if item.inputs is not None or item.diff else ""
            key = digest([*item.similarity_key(), item.unattended, own])
            alike.setdefault(key, []).append(item)
    group_of: dict[TaskRef, TaskGroup] = {}
    for tasks in alike.values():
        first = tasks[0].task
        is_listed = first.action is Action.UNCHANGED or first.found is not None
        least = 2 if is_listed else SIMILAR
        for group in [tasks] if len(tasks) >= least else [[task] for task in tasks]:
            group_of[group[0].ref] = TaskGroup(tuple(group))
    places = (group_of.get(i.ref) if isinstance(i, PlannedView) else i for i in folded)
    items = [item for item in places if item is not None]
    has_many = sum(bool(item.prompts()) for item in items) > MANY
    return PlanItems(items, OF_MANY if has_many else USUAL)
