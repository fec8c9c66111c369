"""The tasks of a plan that come from one entry, to be shown as one item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.messages.plan import ACTIONS
from reconciler.messages.remarks import Words, word_remarks
from reconciler.model.canonical import digest
from reconciler.model.task import Inputs, TaskRef
from reconciler.plan.plan import Action, PlannedTask

_KEYS = 3  # named before the others are counted
_ORDER = {action: place for place, action in enumerate(Action)}


@dataclass(frozen=True, slots=True)
class EntryGroup:
    """The tasks of an entry that are shown, those that something happens to first, and the number
    of all its tasks by action."""

    entry: TaskRef
    tasks: tuple[PlannedTask, ...]
    counts: Mapping[Action, int]

    @property
    def first(self) -> PlannedTask:
        return self.tasks[0]

    @property
    def is_removed(self) -> bool:
        """Whether no manifest has the entry any more, so that all of its tasks are orphaned."""
        cases = {remark.case for task in self.tasks for remark in task.explanation}
        return set(self.counts) == {Action.ORPHANED} and cases == {"orphaned"}

    @property
    def template(self) -> Inputs | None:
        """The settings as they are written, if there are tasks that do not exist yet."""
        for task in self.tasks:
            if task.desired is not None and task.desired.origin and task.task_id is None:
                return task.desired.origin.template
        return None

    def label(self, task: PlannedTask) -> str:
        """What the key adds to the entry's: `@network-eu@2026-11`."""
        return task.ref.key.removeprefix(self.entry.key)

    def parts(self) -> list[EntryPart]:
        """Its tasks by what there is to say about them."""
        found: dict[str, list[PlannedTask]] = {}
        for task in self.tasks:
            found.setdefault(digest(_likeness(task)), []).append(task)
        return [EntryPart(tuple(alike)) for alike in found.values()]

    def subject(self, part: EntryPart) -> str:
        """The part's action, with its tasks by what their keys add, unless these are all of it."""
        action = part.first.action
        if len(part.tasks) == self.counts[action]:
            return action.value
        labels = [self.label(task) for task in part.tasks]
        more = f" and {len(labels) - _KEYS} more" if len(labels) > _KEYS else ""
        return f"{action.value} {', '.join(labels[:_KEYS])}{more}"

    def sentence(self, part: EntryPart) -> str:
        """What is said of the part, with its action first; empty for nothing."""
        example = f", as in {part.first.ref.key}" if part.notes_differ else ""
        note = part.words.note
        return f"{self.subject(part)}{example}: {note}" if note else ""


@dataclass(frozen=True, slots=True)
class EntryPart:
    """Tasks of an entry of which the same is said, but for names and values."""

    tasks: tuple[PlannedTask, ...]

    @property
    def first(self) -> PlannedTask:
        return self.tasks[0]

    @property
    def words(self) -> Words:
        """Of the first; without a note that the legend has."""
        words = word_remarks(self.first.explanation)
        return words if words.note != ACTIONS.get(self.first.action) else words._replace(note="")

    @property
    def notes_differ(self) -> bool:
        """Whether the notes of others name other keys, or what else is theirs."""
        return len({word_remarks(task.explanation).note for task in self.tasks}) > 1

    @property
    def others_differ(self) -> bool:
        """Whether the hints of others name other keys than the first one's do."""
        hints = self.words.hints
        return any(word_remarks(task.explanation).hints != hints for task in self.tasks)


def entry_groups(tasks: Iterable[PlannedTask], shown: Iterable[PlannedTask]) -> list[EntryGroup]:
    """The groups of a plan's tasks, of which some are shown; of more than one task each."""
    counts: dict[TaskRef, Counter[Action]] = {}
    for task in tasks:
        if (ref := entry_of(task)) is not None:
            counts.setdefault(ref, Counter())[task.action] += 1
    members: dict[TaskRef, list[PlannedTask]] = {}
    for task in shown:
        if (ref := entry_of(task)) is not None:
            members.setdefault(ref, []).append(task)
    return [
        EntryGroup(ref, tuple(sorted(some, key=_place)), counts[ref])
        for ref, some in members.items()
        if len(some) > 1
    ]


def entry_of(task: PlannedTask) -> TaskRef | None:
    """The entry that a task comes from; None for a task that is written out."""
    generated = task.generated
    return TaskRef(task.ref.org_name, generated.entry) if generated is not None else None


def _place(task: PlannedTask) -> tuple[object, ...]:
    origin = task.desired.origin if task.desired is not None else None
    period = task.generated.period if task.generated is not None else None
    return (_ORDER[task.action], period or "", origin.position if origin else 0, task.ref)


def _likeness(task: PlannedTask) -> list[object]:
    paths = {change.path.partition(".")[0].partition("[")[0] for change in task.diff}
    remarks = [remark.case for remark in task.remarks]
    return [task.action.value, task.reason.value, remarks, sorted(paths)]
