"""One entry of the manifests on the page: its settings once, and its tasks in a table."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.messages.plan import UNATTENDED
from reconciler.render import safe
from reconciler.render.entries import FoldedEntry, TaskEntry
from reconciler.render.entry_text import counted
from reconciler.render.html_task import (
    change_tables,
    heading,
    html_line,
    said,
    settings,
    task_anchor,
    unfolding,
)
from reconciler.render.value_table import ValueRow, shared_text, value_names


def entry_item(item: FoldedEntry, *, several: bool, unfolded: bool) -> str:
    """The list's element; its tasks are rows, which the filter knows."""
    first, group = item.first, item.group
    alone = any(task.unattended for task in item.tasks)
    more = f'<span class="counted">{safe.html(counted(group))}</span> '
    title = heading(first, group.entry.key, several=several, unattended=alone, more=more)
    body = "\n".join(_body(item))
    return f'<li class="{first.word}" data-entry>{unfolding(title, body, is_open=unfolded)}</li>'


def _body(item: FoldedEntry) -> Iterator[str]:
    group = item.group
    if group.template is not None:
        yield from settings(group.template)
    rows = [ValueRow("", task.key, task.values) for task in item.tasks]
    if shared := shared_text(rows):
        yield f"<p>{html_line(shared[0].upper() + shared[1:])}</p>"
    yield from _table(item, value_names(rows))
    for part in group.parts():
        words = part.words
        yield from said(group.sentence(part), words.hints)
        if part.others_differ:
            yield "<p>And the same for the other keys.</p>"
        if part.first.diff:
            example = f"as in <code>{html_line(part.first.ref.key)}</code>:"
            yield f"<p>{safe.html(group.subject(part))}, {example}</p>"
            yield from change_tables(part.first.diff)


def _table(item: FoldedEntry, names: tuple[str, ...]) -> Iterator[str]:
    heads = "".join(f"<th>{html_line(name)}</th>" for name in names)
    yield f'<table class="values"><thead><tr><th></th><th>Task</th>{heads}<th>At the service</th>'
    yield "</tr></thead><tbody>"
    yield from (_row(task, names) for task in item.tasks)
    yield "</tbody></table>"


def _row(task: TaskEntry, names: tuple[str, ...]) -> str:
    alone = f' <span class="unattended">{UNATTENDED}</span>' if task.unattended else ""
    values = "".join(
        f'<td data-label="{html_line(name)}">{_value(task.values.get(name, ""))}</td>'
        for name in names
    )
    there = task_anchor(task) if task.task_id else ""
    return (
        f'<tr class="{task.word}" data-word="{task.word}"><td><span class="tag">'
        f'<i aria-hidden="true">{safe.html(task.sign)}</i>{task.label}</span>{alone}</td>'
        f'<th scope="row"><code>{html_line(task.key)}</code></th>{values}<td>{there}</td></tr>'
    )


def _value(text: str) -> str:
    return f"<code>{html_line(text)}</code>" if text else '<span class="none">empty</span>'
