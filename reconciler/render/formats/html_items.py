"""The items of the HTML page: tasks with their settings and changes, and entries with a table of
their tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.messages.template import Hint
from reconciler.model.canonical import ABSENT
from reconciler.model.task import Inputs
from reconciler.plan.plan import Change
from reconciler.render import safe
from reconciler.render.diagnostics import place_of
from reconciler.render.markdown_text import prose
from reconciler.render.plan.items import EntryView
from reconciler.render.plan.tasks import PlannedView
from reconciler.render.safe import web_address
from reconciler.render.task_view import UNATTENDED, TaskView, merged
from reconciler.render.text_diff import Gap, Line, side_by_side
from reconciler.render.values import flow, is_prose, origin_of, settings_of, side_text
from reconciler.tasks.results import ListedPullRequest, first_line

CONTEXT = 3
"""Unchanged lines around a change."""

_EMPTY = '<span class="none">empty</span>'
_NO_CELLS = '<td class="n void"></td><td class="void"></td>'
_UNATTENDED = f'<span class="unattended">{UNATTENDED}</span>'


def item(view: TaskView | EntryView, *, several: bool, unfolded: bool) -> str:
    """A list item. The rows of an entry are known to the filter of the page, as tasks are."""
    first: TaskView
    if isinstance(view, EntryView):
        first, data, body = view.first, "data-entry", _entry_body(view)
        counted = f'<span class="counted">{safe.html(view.summary())}</span> '
    else:
        first, data, body = view, f'data-word="{view.word}"', _task_body(view)
        counted = ""
    org = f'<span class="org">{safe.inline(view.ref.org_name)}/</span>' if several else ""
    head = (
        f"{_tag(first)} <h3>{org}{safe.inline(view.ref.key)}</h3> {counted}"
        f"{f'{_UNATTENDED} ' if view.unattended else ''}"
        f'<span class="place">{safe.html(place_of(first.file, first.line))}</span>'
    )
    inside = f'<div class="head">{head}</div>'
    if details := "\n".join(body):
        inside = (
            f'<details{" open" * unfolded}><summary class="head">{head}</summary>\n'
            f'<div class="body">{details}</div></details>'
        )
    result = "" if isinstance(view, EntryView) else "\n".join(_result(view))
    return f'<li class="{first.word}" {data}>{inside}{result}</li>'


def _result(view: TaskView) -> Iterator[str]:
    """The result of the task: its pull requests, and the beginning of its answer."""
    if view.pull_requests:
        yield f'<p class="result">{", ".join(map(_pull_request, view.pull_requests))}</p>'
    if begin := first_line(view.answer):
        yield f'<p class="result begin" dir="auto">{safe.html(begin)}</p>'


def _tag(view: TaskView) -> str:
    sign = f'<i aria-hidden="true">{safe.html(view.sign)}</i>'
    return f'<span class="tag">{sign}{view.label}</span>'


def _task_body(view: TaskView) -> Iterator[str]:
    if view.why:
        yield f"<p>{prose(view.why)}</p>"
    if view.task_id:
        yield f"<p>Task {_link(view)}</p>"
    if view.answer:
        answer = safe.html(view.answer.strip())
        yield f'<h4>Answer</h4>\n<pre class="text" dir="auto">{answer}</pre>'
    if view.inputs is not None:
        yield from _settings(view.inputs)
    yield from _changes(view.diff)
    yield from _hints(view.hints)


def _entry_body(entry: EntryView) -> Iterator[str]:
    if entry.template is not None:
        yield from _settings(entry.template)
    if shared := entry.shared_values():
        yield f"<p>{safe.inline(shared[0].upper() + shared[1:])}</p>"
    names = entry.value_names()
    yield '<table class="values"><thead><tr><td></td>'
    for name in ("Task", *names, "At the service"):
        yield f'<th scope="col">{safe.inline(name)}</th>'
    yield "</tr></thead><tbody>"
    yield from (_entry_row(task, names) for task in entry.tasks)
    yield "</tbody></table>"
    for part in entry.parts():
        if why := entry.sentence(part):
            yield f"<p>{prose(why)}</p>"
        if part.first.diff:
            example = f"as in <code>{safe.inline(part.first.key)}</code>:"
            yield f"<p>{safe.html(entry.subject(part))}, {example}</p>"
            yield from _changes(part.first.diff)
        yield from _hints(part.first.hints)
        if part.hints_differ:
            yield "<p>And the same for the other keys.</p>"


def _entry_row(task: PlannedView, names: Iterable[str]) -> str:
    shown = {name: safe.inline(task.values.get(name, "")) for name in names}
    values = "".join(
        f'<td data-label="{safe.inline(name)}">{f"<code>{text}</code>" if text else _EMPTY}</td>'
        for name, text in shown.items()
    )
    return (
        f'<tr class="{task.word}" data-word="{task.word}">'
        f"<td>{_tag(task)}{f' {_UNATTENDED}' if task.unattended else ''}</td>"
        f'<th scope="row"><code>{safe.inline(task.key)}</code></th>{values}'
        f"<td>{_link(task) if task.task_id else ''}</td></tr>"
    )


def _hints(hints: Iterable[Hint]) -> Iterator[str]:
    for hint in hints:
        if hint.text:
            yield f"<p>{prose(hint.text)}</p>"
        if hint.commands:
            commands = "\n".join(hint.commands)
            yield f'<pre class="remedy">{safe.html(commands)}</pre>'


def _link(view: TaskView) -> str:
    """The task ID, as a link if there is a URL."""
    task_id = f"<code>{safe.inline(view.task_id or '')}</code>"
    if address := web_address(view.url):
        return f'<a href="{safe.inline(address)}" rel="noopener noreferrer">{task_id}</a>'
    return task_id


def _pull_request(request: ListedPullRequest) -> str:
    text = f"<code>{safe.inline(request.text)}</code>{merged(request)}"
    if request.url is None:
        return text
    return f'<a href="{safe.inline(request.url)}" rel="noopener noreferrer">{text}</a>'


def _settings(inputs: Inputs) -> Iterator[str]:
    settings, prompt = settings_of(inputs)
    if settings:
        yield '<table class="settings">'
        for name, value in settings.items():
            yield f'<tr><th scope="row">{safe.inline(name)}</th><td>{_value(value)}</td></tr>'
        yield "</table>"
    if prompt is not None:
        yield f'<h4>Prompt</h4>\n<pre class="text" dir="auto">{safe.html(prompt.strip())}</pre>'


def _changes(diff: Sequence[Change]) -> Iterator[str]:
    short = [change for change in diff if not is_prose(change)]
    if short:
        yield '<table class="fields"><thead><tr>'
        for name in ("Setting", "Before", "After", "Changed"):
            yield f'<th scope="col">{name}</th>'
        yield "</tr></thead><tbody>"
        for change in short:
            yield (
                f'<tr><th scope="row"><code>{safe.inline(change.path)}</code></th>'
                f'<td data-label="before">{_value(change.before)}</td>'
                f'<td data-label="after">{_value(change.after)}</td>'
                f'<td data-label="changed">{origin_of(change).removeprefix("changed ")}</td></tr>'
            )
        yield "</tbody></table>"
    for change in diff:
        if is_prose(change):
            yield f"<h4><code>{safe.inline(change.path)}</code>, {origin_of(change)}</h4>"
            yield from _side_by_side(change)


def _side_by_side(change: Change) -> Iterator[str]:
    rows = side_by_side(side_text(change.before), side_text(change.after), CONTEXT)
    if not rows:
        yield "<p>Only line ends differ.</p>"
        return
    yield '<table class="diff"><colgroup><col class="n"><col><col class="n"><col></colgroup>'
    yield '<thead><tr><th scope="col" colspan="2">Before</th>'
    yield '<th scope="col" colspan="2">After</th></tr></thead><tbody>'
    for row in rows:
        if isinstance(row, Gap):
            yield f'<tr class="gap"><td colspan="4">{row}</td></tr>'
        elif row.differs:
            old = _cells(row.old, "old", "-", "del", is_alone=row.new is None)
            new = _cells(row.new, "new", "+", "ins", is_alone=row.old is None)
            yield f"<tr>{old}{new}</tr>"
        else:
            yield f"<tr>{_cells(row.old, 'same')}{_cells(row.new, 'same again')}</tr>"
    yield "</tbody></table>"


def _cells(
    line: Line | None, kind: str, sign: str = "", element: str = "", *, is_alone: bool = False
) -> str:
    """The cells of a line, with `element` around the words that differ, or around a line that
    exists on this side alone."""
    if line is None:
        return _NO_CELLS
    text = "".join(
        f'<{element} class="w">{safe.html(word)}</{element}>' if differs else safe.html(word)
        for word, differs in line.pieces
    )
    if is_alone:
        text = f"<{element}>{text}</{element}>"
    number = f"{line.number} {sign}".rstrip()
    return f'<td class="n {kind}">{number}</td><td class="{kind}">{text}</td>'


def _value(value: object) -> str:
    """A value; list items go on separate lines."""
    if value is ABSENT:
        return '<span class="none">not set</span>'
    items = value if isinstance(value, list | tuple) and len(value) > 1 else [value]
    return "<br>".join(f"<code>{safe.html(flow(item))}</code>" for item in items)
