"""The details of a task or an entry as foldable Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.messages.plan import UNATTENDED
from reconciler.messages.remarks import Hint
from reconciler.model.task import Inputs
from reconciler.plan.plan import Change
from reconciler.render import cells, safe
from reconciler.render.entries import FoldedEntry, TaskEntry
from reconciler.render.entry_text import counted
from reconciler.render.markdown_text import code, cut, fence, link, paragraph, span
from reconciler.render.reports import Palette
from reconciler.render.text_diff import Gap, Line, side_by_side
from reconciler.render.value_table import ValueRow, shared_text, value_names
from reconciler.render.values import flow, is_prose, moved_by, setting_rows, side_text

COLUMNS = 100
CONTEXT = 3


def details(item: TaskEntry | FoldedEntry, most: int) -> str:
    """A foldable block; long parts are cut to about `most` characters. Empty without details."""
    if isinstance(item, FoldedEntry):
        return _entry(item, most)
    blocks = list(_said(item.why, item.hints, most))
    if rows := "\n".join(_difference(item)):
        blocks.append(fence(cut(rows, most), "diff"))
    title = f"<code>{item.sign}</code> {item.label} <code>{code(item.key)}</code>"
    return _folded(title, blocks) if blocks else ""


def _folded(title: str, blocks: Iterable[str]) -> str:
    inside = "\n\n".join(blocks)
    return f"<details>\n<summary>{title}</summary>\n\n{inside}\n\n</details>"


def _said(why: str, hints: Iterable[Hint], most: int) -> Iterator[str]:
    if why:
        yield paragraph(cut(why, most // 4))
    for hint in hints:
        if hint.text:
            yield paragraph(cut(hint.text, most // 4))
        if hint.commands:
            yield fence(cut(hint.commands, most // 4), "sh")


def _entry(item: FoldedEntry, most: int) -> str:
    """The entry's settings, its tasks with their values, and remarks."""
    group, blocks = item.group, []
    if group.template is not None:
        blocks.append(fence(cut("\n".join(_created(group.template)), most), "diff"))
    blocks.append(_values(item, most))
    for part in group.parts():
        words = part.words
        blocks += _said(group.sentence(part), words.hints, most)
        if part.others_differ:
            blocks.append(paragraph("And the same for the other keys."))
        if part.first.diff:
            blocks.append(paragraph(f"{group.subject(part)}, as in {part.first.ref.key}:"))
            blocks.append(fence(cut("\n".join(_changes(part.first.diff)), most), "diff"))
    title = f"<code>{item.first.sign}</code> <code>{code(group.entry.key)}</code> {counted(group)}"
    return _folded(title, blocks)


def _values(item: FoldedEntry, most: int) -> str:
    """A table of the tasks, with as many rows as fit in `most` characters."""
    values = [ValueRow("", task.key, task.values) for task in item.tasks]
    names, shared = value_names(values), shared_text(values)
    head = ["", "Task", *map(span, names), "At the service"]
    rows = [paragraph(cut(shared, most // 4)), ""] if shared else []
    rows += [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    room = most
    for number, (task, row) in enumerate(zip(item.tasks, values, strict=True)):
        alone = f" **[{UNATTENDED}]**" if task.unattended else ""
        own = [f"`{task.sign}` {task.label}{alone}", span(task.key)]
        own += [span(row.values.get(name, "")) for name in names]
        rows.append(f"| {' | '.join([*own, task_cell(task)])} |")
        room -= len(rows[-1]) + 1
        if room < 0:
            more = len(values) - number - 1
            return "\n".join(rows) + (f"\n\n{more:,} more tasks." if more else "")
    return "\n".join(rows)


def task_cell(task: TaskEntry) -> str:
    """The task ID, as a link if there is a URL."""
    task_id = span(task.task_id) if task.task_id else ""
    return link(task.url, task.task_id or "open") if task.url else task_id


def _difference(entry: TaskEntry) -> Iterator[str]:
    if entry.inputs is not None:
        yield from _created(entry.inputs)
    yield from _changes(entry.diff)


def _created(inputs: Inputs) -> Iterator[str]:
    rows = setting_rows(inputs, COLUMNS, Palette(), verbose=True)
    return (f"+ {row}" for row in rows)


def _changes(diff: Iterable[Change]) -> Iterator[str]:
    for change in diff:
        yield f"@@ {safe.line(change.path)} ({moved_by(change)}) @@"
        yield from _changed(change)


def _changed(change: Change) -> Iterator[str]:
    before, after = side_text(change.before), side_text(change.after)
    if not is_prose(change):
        yield from ([f"- {flow(change.before)}"] if before is not None else [])
        yield from ([f"+ {flow(change.after)}"] if after is not None else [])
        return
    for row in side_by_side(before, after, CONTEXT):
        if isinstance(row, Gap):
            yield f"@@ {row.lines} unchanged line{'s' * (row.lines > 1)} @@"
        elif not row.differs:
            yield from _marked(" ", row.new)
        else:
            yield from _marked("-", row.old)
            yield from _marked("+", row.new)


def _marked(sign: str, line: Line | None) -> list[str]:
    if line is None:
        return []
    return [f"{sign} {row}".rstrip() for row in cells.wrap(line.text, COLUMNS)]
