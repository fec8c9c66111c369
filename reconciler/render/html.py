"""Reports as a single HTML page that loads nothing and runs only its own filter script.

The page is readable without the script. Its content security policy allows the inline style and
script by digest; all text is escaped by `safe.html`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files

from reconciler import __version__
from reconciler.apply.report import ApplyReport
from reconciler.messages import word
from reconciler.messages.plan import UNATTENDED, UNATTENDED_MEANS
from reconciler.model.diagnostics import Diagnostic
from reconciler.plan.plan import Action, Plan
from reconciler.render import safe
from reconciler.render.budget import budget_lines
from reconciler.render.diagnostics import place_of
from reconciler.render.entries import (
    FoldedEntry,
    TaskEntry,
    command_of,
    diagnostics_of,
    entries,
    folded,
    report_summary,
    summary_counts,
)
from reconciler.render.html_entry import entry_item
from reconciler.render.html_task import task_item
from reconciler.render.plan_text import outcome_row, who
from reconciler.render.reports import Report, Style, ValidateReport
from reconciler.render.wait import WaitedReport
from reconciler.resources import inline_digests

MANY = 100  # tasks from which those out of sight are not laid out
OPEN_UP_TO = 10
"""Up to this number of tasks, details are unfolded."""

_SLOT = re.compile(r"\{\{(policy|title|body)\}\}")


def render(report: Report, style: Style) -> str:
    title = f"{_headline(report)} - taskctl {command_of(report)}".rstrip(" -")
    slots = {
        "policy": policy(),
        "title": safe.html(title),
        "body": "\n".join(_body(report, style)),
    }
    return _SLOT.sub(lambda found: slots[found[1]], template())


@cache
def template() -> str:
    return files(__package__).joinpath("page.html").read_text(encoding="utf-8")


def policy() -> str:
    """The content security policy: nothing is loaded, framed or sent."""
    digests = inline_digests(template())
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    )


def _body(report: Report, style: Style) -> Iterator[str]:
    found = entries(report, style)
    problems = diagnostics_of(report, style)
    yield "<header>"
    names = ", ".join(report.organizations()) if isinstance(report, Plan) else ""
    orgs = f" for <b>{safe.html(safe.line(names))}</b>" if names else ""
    yield f'<p class="brand">taskctl {command_of(report)}{orgs}{_by(report)}</p>'
    yield f"<h1>{safe.html(_headline(report))}</h1>"
    yield from _about(report)
    yield "</header>\n<main>"
    if problems:
        yield '<section aria-labelledby="problems">\n<h2 id="problems">Problems</h2>'
        yield '<ul class="problems" role="list">'
        yield from map(_problem, problems)
        yield "</ul>\n</section>"
    if found:
        yield from _tasks(report, found)
    elif isinstance(report, ValidateReport):
        yield from _files(report, style)
    yield "</main>"
    yield f"<footer>Made by taskctl {safe.html(__version__)}.</footer>"


def _headline(report: Report) -> str:
    """What is to be done, or was done; the page lists all counts below."""
    if not isinstance(report, Plan | ApplyReport) or isinstance(report, WaitedReport):
        return report_summary(report)
    words = {
        "create": "to create",
        "replace": "to replace",
        "adopt": "to adopt",
        "move": "to move",
        "update": "to update",
    }
    parts = [
        f"{number:,} {words.get(word, label)}"
        for word, label, number in summary_counts(report)
        if word != Action.UNCHANGED.value
    ]
    return ", ".join(parts) or "No changes"


def _about(report: Report) -> Iterator[str]:
    if not isinstance(report, Plan):
        return
    scope = ", ".join(f"<code>{safe.html(safe.line(path))}</code>" for path in report.scope)
    where = f" for {scope}" if scope else ""
    yield f'<p class="about">At <code>{safe.html(safe.line(report.backend))}</code>{where}</p>'
    for line in budget_lines(report.budgets):
        yield f'<p class="about">{safe.html(line)}</p>'
    if not report.complete:
        yield "<p><b>Incomplete:</b> existing tasks could not be read completely.</p>"


def _by(report: Report) -> str:
    identity = report.identity if isinstance(report, Plan) else None
    return f" as <b>{safe.html(who(identity))}</b>" if identity else ""


def _problem(problem: Diagnostic) -> str:
    severity = problem.severity.value
    place = safe.html(place_of(problem.file, problem.line, problem.column))
    message = word(problem)
    more = message.explanation
    detail = f'<p class="detail">{safe.html(more)}</p>' if more else ""
    return (
        f'<li class="{severity}"><div class="head"><span class="tag">{severity}</span>'
        f'<span class="what">{safe.html(safe.line(message.summary))}</span>'
        f'<span class="place">{place}</span></div>{detail}</li>'
    )


def _tasks(report: Report, found: list[TaskEntry]) -> Iterator[str]:
    shown = [entry for entry in found if entry.word != "unchanged"]
    rest = [entry for entry in found if entry.word == "unchanged"]
    several = len({entry.org_name for entry in found}) > 1
    yield '<section aria-labelledby="tasks">\n<h2 id="tasks" class="visually-hidden">Tasks</h2>'
    yield from _bar(report)
    yield '<h2 class="visually-hidden">What there is to see</h2>' if shown else ""
    if any(entry.unattended for entry in found):
        mark = f'<span class="unattended">{UNATTENDED}</span>'
        yield f'<p class="about legend">{mark} {UNATTENDED_MEANS}.</p>'
    yield from _list(folded(report, shown), several=several, unfolded=len(shown) <= OPEN_UP_TO)
    if isinstance(report, Plan) and (outcome := outcome_row(report)):
        yield f"<p>{outcome}</p>"
    yield '<p id="none" hidden>No task fits the filter.</p>'
    if rest:
        yield f'<details class="rest"><summary>{len(rest):,} unchanged</summary>'
        yield from _list(rest, several=several, unfolded=False)
        yield "</details>"
    yield "</section>"


def _list(
    some: Sequence[TaskEntry | FoldedEntry], *, several: bool, unfolded: bool
) -> Iterator[str]:
    yield f'<ul class="tasks{" many" * (len(some) > MANY)}" role="list">'
    for item in some:
        if isinstance(item, FoldedEntry):
            yield entry_item(item, several=several, unfolded=unfolded)
        else:
            yield task_item(item, several=several, unfolded=unfolded)
    yield "</ul>"


def _bar(report: Report) -> Iterator[str]:
    """The counts, which the script turns into a filter, next to a text filter."""
    yield '<div class="bar"><form role="search" aria-label="Filter the tasks">'
    yield '<div class="counts" role="group" aria-label="Show only">'
    for name, label, number in summary_counts(report):
        yield (
            f'<button type="button" class="{name}" data-word="{name}" aria-pressed="false" '
            f"disabled><b>{number:,}</b> {label}</button>"
        )
    yield "</div>"
    yield '<div class="search" data-js hidden>'
    yield '<label for="search" class="visually-hidden">Filter by text</label>'
    yield '<input id="search" type="search" autocomplete="off" spellcheck="false"'
    yield ' placeholder="Filter by key, file or text   ( / )"></div>'
    yield '<div class="tools" data-js hidden><button type="button" data-open="true">Unfold all'
    yield '</button> <button type="button" data-open="false">Fold all</button></div>'
    yield '</form><p class="found" role="status" data-js hidden></p></div>'


def _files(report: ValidateReport, style: Style) -> Iterator[str]:
    """The files that were checked, with the number of tasks in each."""
    numbers = dict.fromkeys(report.names, 0)
    for task in report.listed:
        numbers[task.file] = numbers.get(task.file, 0) + 1
    if numbers:
        yield '<section aria-labelledby="files">\n<h2 id="files">Files</h2>\n<table class="fields">'
        yield "<thead><tr><th>File</th><th>Tasks</th></tr></thead>\n<tbody>"
        yield from _file_rows(numbers.items(), style)
        yield "</tbody></table>\n</section>"


def _file_rows(numbers: Iterable[tuple[str, int]], style: Style) -> Iterator[str]:
    for name, number in numbers:
        file = safe.html(safe.line(style.locate(name)))
        yield f'<tr><th scope="row"><code>{file}</code></th>'
        yield f'<td data-label="tasks">{number:,}</td></tr>'
