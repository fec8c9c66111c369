"""What only shows when all tasks of all files are looked at together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.manifest.problem import Problem
from reconciler.model.canonical import comparable_text
from reconciler.model.diagnostics import Severity
from reconciler.model.task import DesiredTask, text_of

Found = tuple[DesiredTask, Problem]
"""A problem and the task that it is shown at."""

_TWICE_DETAIL = (
    "Each key makes a task of its own, so the job would be done twice, by two agents at once.\n"
    "Take one of the keys out, or say in the prompts how the two jobs differ."
)


def compare(tasks: Sequence[DesiredTask], unusable: Sequence[DesiredTask] = ()) -> list[Found]:
    """Keys, task ids and former keys that are claimed twice; and, as a warning, the same work.

    `unusable` are tasks whose own errors are reported already: just their keys count.
    """
    everything = list(tasks)
    if unusable:
        everything = sorted([*tasks, *unusable], key=lambda task: (task.file, task.line))
    by_ref: dict[tuple[str | None, str], DesiredTask] = {}
    found: list[Found] = []
    for task in everything:
        first = by_ref.setdefault((task.org_name, task.key), task)
        if first is not task:
            what = f"the key is in {_place(first)} too: rename one or take it out"
            found.append((task, Problem(("tasks", task.key), what, on_key=True)))
    found.extend(_moves(everything, by_ref))
    found.extend(_same_ids(tasks))
    found.extend(_same_work(tasks))
    return found


def _moves(
    tasks: Iterable[DesiredTask], by_ref: dict[tuple[str | None, str], DesiredTask]
) -> Iterator[Found]:
    claimed: dict[tuple[str | None, str], DesiredTask] = {}
    for task in tasks:
        if task.moved_from is None or task.moved_from == task.key:
            continue
        path = ("tasks", task.key, "movedFrom")
        former = (task.org_name, task.moved_from)
        other = by_ref.get(former)
        if other is not None:
            what = f"`{task.moved_from}` is still a task ({_place(other)}), so it did not move"
            yield task, Problem(path, what)
        first = claimed.setdefault(former, task)
        if first is not task:
            what = f"`{task.moved_from}` moved to `{first.key}` already ({_place(first)})"
            yield task, Problem(path, what)


def _same_ids(tasks: Iterable[DesiredTask]) -> Iterator[Found]:
    claimed: dict[str, DesiredTask] = {}
    for task in tasks:
        if task.task_id is None:
            continue
        first = claimed.setdefault(task.task_id, task)
        if first is not task:
            what = f"the same task is adopted by `{first.key}` already ({_place(first)})"
            yield task, Problem(("tasks", task.key, "taskID"), what)


def _same_work(tasks: Iterable[DesiredTask]) -> Iterator[Found]:
    firsts: dict[int, DesiredTask] = {}
    alike: dict[int, list[DesiredTask]] = {}
    for task in tasks:
        text = text_of(task.inputs)
        if text is not None:
            likely = hash((task.org_name, comparable_text(text)))
            first = firsts.setdefault(likely, task)
            if first is not task:
                alike.setdefault(likely, [first]).append(task)
    for group in alike.values():  # only these are worth a digest each
        yield from _repeated_work(group)


def _repeated_work(alike: Iterable[DesiredTask]) -> Iterator[Found]:
    firsts: dict[str | None, DesiredTask] = {}
    for task in alike:
        first = firsts.setdefault(task.work, task)
        if first is not task and first.key != task.key:
            what = f"does the same work as `{first.key}` ({_place(first)})"
            yield (
                task,
                Problem(("tasks", task.key), what, _TWICE_DETAIL, Severity.WARNING, on_key=True),
            )


def _place(task: DesiredTask) -> str:
    return f"{task.file}:{task.line}"
