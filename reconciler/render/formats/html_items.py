"""The items of the HTML page: tasks with their settings and changes, and entries with a table of
their tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.model.task import Inputs
from reconciler.plan.plan import Change
from reconciler.render import safe
from reconciler.render.diagnostics import place_of
from reconciler.render.markdown_text import prose
from reconciler.render.plan.items import EntryView
from reconciler.render.plan.tasks import PlannedView
from reconciler.render.safe import web_address
from reconciler.render.task_view import UNATTENDED, Block, TaskView, merged
from reconciler.render.text_diff import DiffLine
from reconciler.render.values import flow, lines_of_change, origin_of, settings_of
from reconciler.tasks.results import ListedPullRequest, first_line

_EMPTY = '<span class="none">empty</span>'
_DIFF = {" ": ("same", "span"), "-": ("old", "del"), "+": ("new", "ins"), "@": ("gap", "span")}
"""The class and the element for a line of a diff, by its sign."""
_UNATTENDED = f'<span class="unattended">{UNATTENDED}</span>'


def item(view: TaskView | EntryView, *, several: bool, unfolded: bool) -> str:
    """A list item. The page's filter applies to the rows of an entry, as it does to tasks."""
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
    if view.task_id:
        yield f"<p>Task {_link(view)}</p>"
    if view.answer:
        answer = safe.html(view.answer.strip())
        yield f'<h4>Answer</h4>\n<pre class="text" dir="auto">{answer}</pre>'
    for block in view.details():
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case str():
            yield f"<p>{prose(block)}</p>"
        case tuple():
            commands = "\n".join(block)
            yield f'<pre class="remedy">{safe.html(commands)}</pre>'
        case list():
            yield from _changes(block)
        case _:
            yield from _settings(block)


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
    yield from (text for block in entry.remarks() if block for text in _block(block))


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


def _changes(diff: Iterable[Change]) -> Iterator[str]:
    for change in diff:
        yield f"<h4><code>{safe.inline(change.path)}</code>, {origin_of(change)}</h4>"
        rows = "".join(map(_diff_row, lines_of_change(change))) or "Only line ends differ."
        yield f'<pre class="text diff" dir="auto">{rows}</pre>'


def _diff_row(line: DiffLine) -> str:
    """A row, colored by its sign."""
    kind, element = _DIFF[line.sign]
    sign = "" if line.sign == "@" else f"{line.sign} "
    return f'<{element} class="{kind}">{sign}{safe.html(line.text)}</{element}>'


def _value(value: object) -> str:
    """A value; list items go on separate lines."""
    items = value if isinstance(value, list | tuple) and len(value) > 1 else [value]
    return "<br>".join(f"<code>{safe.html(flow(item))}</code>" for item in items)
