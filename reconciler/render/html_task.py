"""One task of the HTML page: action and reason, settings, and differences side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.messages.plan import UNATTENDED
from reconciler.messages.remarks import Hint
from reconciler.model.absent import ABSENT
from reconciler.model.task import Inputs
from reconciler.plan.plan import Change
from reconciler.render import safe
from reconciler.render.diagnostics import place_of
from reconciler.render.entries import TaskEntry
from reconciler.render.text_diff import DiffRow, Gap, Line, side_by_side
from reconciler.render.values import flow, is_prose, moved_by, side_text

CONTEXT = 3
"""Unchanged lines around a change."""


def task_item(entry: TaskEntry, *, several: bool, unfolded: bool) -> str:
    """A list item; foldable if it has details."""
    title = heading(entry, entry.key, several=several, unattended=entry.unattended)
    inside = f'<div class="head">{title}</div>'
    if body := "\n".join(_body(entry)):
        inside = unfolding(title, body, is_open=unfolded)
    return f'<li class="{entry.word}" data-word="{entry.word}">{inside}</li>'


def heading(entry: TaskEntry, key: str, *, several: bool, unattended: bool, more: str = "") -> str:
    """The visible part of a folded item; `key` is that of the task or entry."""
    org = f'<span class="org">{html_line(entry.org_name)}/</span>' if several else ""
    alone = f'<span class="unattended">{UNATTENDED}</span> ' if unattended else ""
    return (
        f'<span class="tag"><i aria-hidden="true">{safe.html(entry.sign)}</i>{entry.label}</span> '
        f"<h3>{org}{html_line(key)}</h3> {more}"
        f'{alone}<span class="place">{safe.html(place_of(entry.file, entry.line))}</span>'
    )


def unfolding(title: str, body: str, *, is_open: bool) -> str:
    return (
        f'<details{" open" * is_open}><summary class="head">{title}</summary>\n'
        f'<div class="body">{body}</div></details>'
    )


def _body(entry: TaskEntry) -> Iterator[str]:
    yield from said(entry.why, entry.hints)
    if entry.task_id:
        yield f"<p>Task {task_anchor(entry)}</p>"
    if entry.inputs is not None:
        yield from settings(entry.inputs)
    if entry.diff:
        yield from change_tables(entry.diff)


def said(why: str, hints: Iterable[Hint]) -> Iterator[str]:
    """The reason and the hints."""
    if why:
        yield f"<p>{safe.html(why)}</p>"
    for hint in hints:
        if hint.text:
            yield f"<p>{safe.html(hint.text)}</p>"
        if hint.commands:
            yield f'<pre class="remedy">{safe.html(hint.commands)}</pre>'


def task_anchor(entry: TaskEntry) -> str:
    """The task ID, as a link if there is a URL."""
    task_id = f"<code>{html_line(entry.task_id or '')}</code>"
    if entry.url and entry.url.startswith(("https://", "http://")):
        url = safe.html(safe.line(entry.url))
        return f'<a href="{url}" rel="noopener noreferrer">{task_id}</a>'
    return task_id


def settings(inputs: Inputs) -> Iterator[str]:
    message = inputs.get("message")
    parts: Mapping[str, object] = message if isinstance(message, Mapping) else {}
    shown = {name: value for name, value in sorted(inputs.items()) if name != "message"}
    for name, value in sorted(parts.items()):
        if name == "entity_diff" and isinstance(value, Mapping) and set(value) == {"add"}:
            shown["entities"] = value["add"]
        elif name != "content":
            shown[f"message.{name}"] = value
    if shown:
        yield '<table class="settings">'
        for name, value in shown.items():
            yield f'<tr><th scope="row">{html_line(name)}</th><td>{_value(value)}</td></tr>'
        yield "</table>"
    content = parts.get("content")
    if isinstance(content, str):
        yield f'<h4>Prompt</h4>\n<pre class="text" dir="auto">{safe.html(content.strip())}</pre>'


def change_tables(diff: Sequence[Change]) -> Iterator[str]:
    short = [change for change in diff if not is_prose(change)]
    if short:
        yield '<table class="fields"><thead><tr><th>Setting</th><th>Before</th><th>After</th>'
        yield "<th>Changed</th></tr></thead><tbody>"
        for change in short:
            origin = moved_by(change).removeprefix("changed ")
            yield (
                f'<tr><th scope="row"><code>{html_line(change.path)}</code></th>'
                f'<td data-label="before">{_value(change.before)}</td>'
                f'<td data-label="after">{_value(change.after)}</td>'
                f'<td data-label="changed">{origin}</td></tr>'
            )
        yield "</tbody></table>"
    for change in diff:
        if is_prose(change):
            yield f"<h4><code>{html_line(change.path)}</code>, {moved_by(change)}</h4>"
            yield from _side_by_side(change)


def _side_by_side(change: Change) -> Iterator[str]:
    rows = side_by_side(side_text(change.before), side_text(change.after), CONTEXT)
    if not rows:
        yield "<p>Only line ends differ.</p>"
        return
    yield '<table class="diff"><colgroup><col class="n"><col><col class="n"><col></colgroup>'
    yield '<thead><tr><th colspan="2">Before</th><th colspan="2">After</th></tr></thead><tbody>'
    for row in rows:
        if isinstance(row, Gap):
            words = f"{row.lines:,} unchanged line{'s' * (row.lines > 1)}"
            yield f'<tr class="gap"><td colspan="4">{words}</td></tr>'
        else:
            yield f"<tr>{_old(row)}{_new(row)}</tr>"
    yield "</tbody></table>"


def _old(row: DiffRow) -> str:
    return _cells(row.old, ("old" if row.differs else "same"), "-", "del", whole=row.new is None)


def _new(row: DiffRow) -> str:
    kind = "new" if row.differs else "same again"
    return _cells(row.new, kind, "+", "ins", whole=row.old is None)


def _cells(line: Line | None, kind: str, sign: str, element: str, *, whole: bool) -> str:
    if line is None:
        return '<td class="n void"></td><td class="void"></td>'
    number = f"{line.number} {sign}" if kind in ("old", "new") else f"{line.number}"
    text = "".join(
        f'<{element} class="w">{safe.html(word)}</{element}>' if differs else safe.html(word)
        for word, differs in line.pieces
    )
    if whole:
        text = f"<{element}>{text}</{element}>"
    return f'<td class="n {kind}">{number}</td><td class="{kind}">{text}</td>'


def _value(value: object) -> str:
    """A value; list items go on separate lines."""
    if value is ABSENT:
        return '<span class="none">not set</span>'
    if isinstance(value, list | tuple) and len(value) > 1:
        return "<br>".join(f"<code>{safe.html(flow(item))}</code>" for item in value)
    return f"<code>{safe.html(flow(value))}</code>"


def html_line(text: str) -> str:
    return safe.html(safe.line(text))
