"""The details of a task or an entry as foldable Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.messages.plan import UNATTENDED
from reconciler.messages.remarks import Hint
from reconciler.model.task import Inputs
from reconciler.plan.plan import Change
from reconciler.render import cells, safe
from reconciler.render.groups import EntryView
from reconciler.render.markdown_text import code, cut, fence, link, paragraph, row, span
from reconciler.render.reports import Style
from reconciler.render.text_diff import Gap, Line, side_by_side
from reconciler.render.values import flow, is_prose, origin_of, setting_rows, side_text
from reconciler.render.views import TaskView

COLUMNS = 100
CONTEXT = 3  # unchanged lines around a change


def details(item: TaskView | EntryView, most: int) -> str:
    """A foldable block; long parts are cut to about `most` characters. Empty without details."""
    if isinstance(item, EntryView):
        blocks = list(_entry_blocks(item, most))
        title = f"<code>{code(item.ref.key)}</code> {item.summary()}"
        sign = item.first.sign
    else:
        blocks = list(_reason(item.why, item.hints, most))
        settings = _settings(item.inputs) if item.inputs is not None else []
        if rows := [*settings, *_changes(item.diff)]:
            blocks.append(_diff_fence(rows, most))
        title, sign = f"{item.label} <code>{code(item.key)}</code>", item.sign
    if not blocks:
        return ""
    inside = "\n\n".join(blocks)
    return f"<details>\n<summary><code>{sign}</code> {title}</summary>\n\n{inside}\n\n</details>"


def sign_cell(view: TaskView, label: str, *, unattended: bool) -> str:
    return f"`{view.sign}` {label}{f' **[{UNATTENDED}]**' if unattended else ''}"


def task_cell(view: TaskView) -> str:
    """The task ID, as a link if there is a URL."""
    task_id = span(view.task_id) if view.task_id else ""
    return link(view.url, view.task_id or "open") if view.url else task_id


def _entry_blocks(entry: EntryView, most: int) -> Iterator[str]:
    """The entry's settings, its tasks with their values, and remarks."""
    if entry.template is not None:
        yield _diff_fence(_settings(entry.template), most)
    yield _values(entry, most)
    for part in entry.parts():
        yield from _reason(entry.sentence(part), part.first.hints, most)
        if part.hints_differ:
            yield paragraph("And the same for the other keys.")
        if part.first.diff:
            yield paragraph(f"{entry.subject(part)}, as in {part.first.key}:")
            yield _diff_fence(_changes(part.first.diff), most)


def _reason(why: str, hints: Iterable[Hint], most: int) -> Iterator[str]:
    if why:
        yield paragraph(cut(why, most // 4))
    for hint in hints:
        if hint.text:
            yield paragraph(cut(hint.text, most // 4))
        if hint.commands:
            yield fence(cut(hint.commands, most // 4), "sh")


def _values(entry: EntryView, most: int) -> str:
    """A table of the tasks, with as many rows as fit in `most` characters."""
    names, shared = entry.value_names(), entry.shared_values()
    rows = [paragraph(cut(shared, most // 4)), ""] if shared else []
    rows += [
        row("", "Task", *map(span, names), "At the service"),
        f"|{' --- |' * (len(names) + 3)}",
    ]
    room = most
    for number, task in enumerate(entry.tasks, 1):
        values = (span(task.values.get(name, "")) for name in names)
        sign = sign_cell(task, task.label, unattended=task.unattended)
        rows.append(row(sign, span(task.key), *values, task_cell(task)))
        room -= len(rows[-1]) + 1
        if room < 0 and (more := len(entry.tasks) - number):
            return "\n".join(rows) + f"\n\n{more:,} more tasks."
    return "\n".join(rows)


def _diff_fence(rows: Iterable[str], most: int) -> str:
    return fence(cut("\n".join(rows), most), "diff")


def _settings(inputs: Inputs) -> Iterator[str]:
    return (f"+ {text}" for text in setting_rows(inputs, Style(width=COLUMNS, verbose=True)))


def _changes(diff: Iterable[Change]) -> Iterator[str]:
    for change in diff:
        yield f"@@ {safe.line(change.path)} ({origin_of(change)}) @@"
        before, after = side_text(change.before), side_text(change.after)
        if is_prose(change):
            yield from _prose_changes(before, after)
        else:
            yield from ([f"- {flow(change.before)}"] if before is not None else [])
            yield from ([f"+ {flow(change.after)}"] if after is not None else [])


def _prose_changes(before: str | None, after: str | None) -> Iterator[str]:
    for found in side_by_side(before, after, CONTEXT):
        if isinstance(found, Gap):
            yield f"@@ {found} @@"
        elif not found.differs:
            yield from _marked(" ", found.new)
        else:
            yield from _marked("-", found.old)
            yield from _marked("+", found.new)


def _marked(sign: str, line: Line | None) -> list[str]:
    if line is None:
        return []
    return [f"{sign} {text}".rstrip() for text in cells.wrap(line.text, COLUMNS)]
