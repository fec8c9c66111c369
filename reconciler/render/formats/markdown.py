"""Reports as Markdown, for pull request comments and job summaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.model.diagnostics import Severity
from reconciler.model.value import replace
from reconciler.plan.plan import Change
from reconciler.render import cells, safe
from reconciler.render.diagnostics import render_one
from reconciler.render.issues import diagnostics_of
from reconciler.render.markdown_text import code, cut, fence, link, paragraph, row, span
from reconciler.render.plan.items import EntryView
from reconciler.render.style import Style, counted
from reconciler.render.task_view import UNATTENDED, Block, TaskView
from reconciler.render.values import lines_of_change, origin_of, setting_rows
from reconciler.render.view import ReportView

LIMIT = 64_000
"""The maximum length of a report: GitHub accepts 65,536 characters, and posters add a marker."""

PROBLEMS, ROWS, DETAIL = 12_000, 16_000, 10_000  # of each part, if all exceed LIMIT
NOTE = 400  # characters for the note about omitted parts
COLUMNS = 100  # the width of settings and changes

HEADER = ("", "Task", "Manifest", "At the service")

Items = Sequence[TaskView | EntryView]


def render(view: ReportView, style: Style) -> str:
    """The report in at most LIMIT characters. If something is omitted, it is counted; the summary
    is kept."""
    tasks = view.tasks(style)
    shown = [task for task in tasks if task.word != "unchanged"]
    several = len({task.ref.org_name for task in tasks}) > 1
    head = "\n\n".join(view.markdown_head(shown))
    problems, notes = _problems(view, style)
    items = view.items(shown)
    rows = _table(HEADER, [_row(item, several=several) for item in items])
    last = [fence("\n".join(notes))] if notes else []
    room = LIMIT - len(_join(head, problems, rows, last))
    if not style.verbose:  # reports in a public repository are public
        items = [_without_agents_text(i) if isinstance(i, TaskView) else i for i in items]
    unfolding, left_out = _fit(_details(items, LIMIT), room)
    if room >= 0 and not left_out:
        return _join(head, problems, rows, [*unfolding, *last])
    commands = style.commands
    see_all = {
        "plan": commands.see_whole_plan(),
        "validate": commands.completed("taskctl validate"),
    }.get(view.command, "")
    return _shorten(head, [*problems, *notes], rows, items, see_all)


def _problems(view: ReportView, style: Style) -> tuple[list[str], list[str]]:
    """The errors and warnings, and the notes, which are at the end of the report."""
    problems: list[str] = []
    notes: list[str] = []
    for problem in diagnostics_of(view, style):
        text = render_one(problem, Style(commands=style.commands)).rstrip("\n")
        (notes if problem.severity is Severity.NOTE else problems).append(text)
    return problems, notes


def _without_agents_text(task: TaskView) -> TaskView:
    """The task without its answer, its question, or the reason that its agent gave for a
    failure."""
    return replace(task, answer="", question="", why="" if task.quotes_agent else task.why)


def _shorten(head: str, problems: list[str], rows: list[str], items: Items, see_all: str) -> str:
    """The beginning of each part, and a note about omitted parts."""
    some, _ = _fit(problems, PROBLEMS)
    some = some or [cut(problem, PROBLEMS) for problem in problems[:1]]
    listed, _ = _fit(rows, ROWS)
    room = LIMIT - len(_join(head, some, listed, ())) - NOTE
    unfolding, has_more = _fit(_details(items, DETAIL), room)
    counts = ((len(problems) - len(some), "problem"), (len(rows) - len(listed), "task"))
    omitted = [counted(number, f"more {word}") for number, word in counts if number]
    omitted += [f"the details of all but {len(unfolding)} tasks"] if has_more else []
    whole = f" See all of it: {span(see_all)}." if see_all else ""
    note = f"> Too long to show in full; left out: {', '.join(omitted) or 'some lines'}.{whole}"
    return _join(head, some, listed, [*unfolding, note])


def _join(head: str, problems: list[str], rows: list[str], rest: Iterable[str]) -> str:
    blocks = [head]
    if problems:
        blocks.append(fence("\n".join(problems)))
    if rows:
        blocks.append("\n".join(rows))
    return "\n\n".join([*blocks, *rest]) + "\n"


def _fit(parts: Iterable[str], room: int) -> tuple[list[str], bool]:
    """The first parts that fit (with a blank line each), and whether there are more."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part) + 2
        if room < 0:
            return fitting, True
        fitting.append(part)
    return fitting, False


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, without the last column if it is empty; none without rows."""
    if not rows:
        return []
    columns = len(header) - (not any(cells[-1] for cells in rows))
    return [row(*line[:columns]) for line in (header, ("---",) * len(header), *rows)]


def _row(item: TaskView | EntryView, *, several: bool) -> tuple[str, ...]:
    first: TaskView
    if isinstance(item, EntryView):
        first, label, task = item.first, item.summary(), ""
    else:
        first, label, task = item, item.label, " ".join(_task_cells(item))
    place = ":".join(str(part) for part in (first.file, first.line) if part)
    return (
        _sign_cell(first, label, unattended=item.unattended),
        span(f"{item.ref.org_name}/{item.ref.key}" if several else item.ref.key),
        span(place) if place else "",
        task,
    )


def _details(items: Items, most: int) -> Iterator[str]:
    return filter(None, (_foldable(item, most) for item in items))


def _foldable(item: TaskView | EntryView, most: int) -> str:
    """A foldable block; long parts are cut to about `most` characters. Empty without details."""
    if isinstance(item, EntryView):
        blocks = list(_entry_blocks(item, most))
        title = f"<code>{code(item.ref.key)}</code> {item.summary()}"
        sign = item.first.sign
    else:
        blocks = [text for block in item.details() for text in _block(block, most)]
        if item.answer:
            blocks.append(fence(cut(item.answer.strip("\n"), most)))
        title, sign = f"{item.label} <code>{code(item.key)}</code>", item.sign
    if not blocks:
        return ""
    inside = "\n\n".join(blocks)
    return f"<details>\n<summary><code>{sign}</code> {title}</summary>\n\n{inside}\n\n</details>"


def _sign_cell(view: TaskView, label: str, *, unattended: bool) -> str:
    return f"`{view.sign}` {label}{f' **[{UNATTENDED}]**' if unattended else ''}"


def _task_cells(view: TaskView) -> Iterator[str]:
    """The task ID, as a link if there is a URL, and its pull requests."""
    if view.url or view.task_id:
        yield link(view.url or "", view.task_id or "open")
    for each in view.pull_requests:
        # If a comment links to a pull request directly, GitHub adds a backlink to the pull request.
        url = (each.url or "").replace("//github.com/", "//redirect.github.com/")
        yield f"{link(url, each.text)}{' (merged)' * each.is_merged}"


def _entry_blocks(entry: EntryView, most: int) -> Iterator[str]:
    """The entry's settings, its tasks with their values, and remarks."""
    if entry.template is not None:
        yield from _block(entry.template, most)
    yield _values(entry, most)
    yield from (text for block in entry.remarks() if block for text in _block(block, most))


def _block(block: Block, most: int) -> Iterator[str]:
    match block:
        case str():
            yield paragraph(cut(block, most // 4))
        case tuple():
            yield fence(cut("\n".join(block), most // 4), "sh")
        case list():
            yield _diff_fence(_changes(block), most)
        case _:
            rows = setting_rows(block, Style(width=COLUMNS, verbose=True))
            yield _diff_fence((f"+ {row}" for row in rows), most)


def _values(entry: EntryView, most: int) -> str:
    """A table of the tasks, with as many rows as fit in `most` characters."""
    names, shared = entry.value_names(), entry.shared_values()
    before = [paragraph(cut(shared, most // 4)), ""] if shared else []
    rows = []
    room = most
    for task in entry.tasks:
        if room < 0:
            break
        values = (span(task.values.get(name, ""), most) for name in names)
        sign = _sign_cell(task, task.label, unattended=task.unattended)
        rows.append((sign, span(task.key), *values, " ".join(_task_cells(task))))
        room -= len(row(*rows[-1])) + 1
    table = _table(("", "Task", *map(span, names), "At the service"), rows)
    more = len(entry.tasks) - len(rows)
    return "\n".join([*before, *table, *(["", f"{more:,} more tasks."] if more else [])])


def _diff_fence(rows: Iterable[str], most: int) -> str:
    return fence(cut("\n".join(rows), most), "diff")


def _changes(diff: Iterable[Change]) -> Iterator[str]:
    for change in diff:
        yield f"@@ {safe.line(change.path)} ({origin_of(change)}) @@"
        for sign, text in lines_of_change(change):
            if sign == "@":
                yield f"@@ {text} @@"
            else:
                yield from (f"{sign} {row}".rstrip() for row in cells.wrap(text, COLUMNS))
