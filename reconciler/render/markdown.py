"""Reports as Markdown, for a comment on a pull request or the summary of a job.

Text from outside stands in code spans, in fences and, its risky words in `<code>`, in blocks of
HTML: there no renderer looks for markup, links, mentions or issue numbers. An entity would not do,
since GitHub looks for `@name` and `#1` in the finished page, where `&#64;` is an `@` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler.messages.plan import ACTIONS, UNATTENDED, UNATTENDED_MEANS
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Change, Plan
from reconciler.render import cells, safe
from reconciler.render.budget import budget_lines
from reconciler.render.diagnostics import render_one
from reconciler.render.entries import Entry, command_of, entries, located, summary
from reconciler.render.palette import Palette
from reconciler.render.plan_text import outcome_row, who
from reconciler.render.reports import Report, Style, ValidateReport
from reconciler.render.text_diff import Gap, Line, side_by_side
from reconciler.render.values import flow, is_prose, moved_by, setting_rows, side_text

LIMIT = 64_000
"""Characters of a whole report: GitHub takes 65,536 of a comment, its poster may add a marker."""

PROBLEMS, ROWS, DETAIL = 12_000, 16_000, 10_000  # characters of each, where not all fits
NOTE = 400  # of what tells what was left out
SPAN = 200  # characters of a code span
COLUMNS = 100
CONTEXT = 3

_TICKS = re.compile(r"`+")
_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9/._~%-]*")
_PLAIN = re.compile(r"[\"'(\[]*[^\W_]+(?:['’-][^\W_]+)*[\"')\],.;:!?]*|[-–—=+/,.;:()\"']+")
_REFERENCE = re.compile(r"\W*(?:[0-9a-fA-F]{7,}|[A-Za-z]+-\d+)\W*")


def render(report: Report, style: Style) -> str:
    """At most LIMIT characters: the summary stays, what is cut from the middle is counted."""
    found = entries(report, style)
    shown = [entry for entry in found if entry.word != "unchanged"]
    several = len({entry.org_name for entry in found}) > 1
    head = _head(report, shown)
    problems = [render_one(problem, Style()).rstrip("\n") for problem in located(report, style)]
    rows = [_row(entry, several=several) for entry in shown]
    room = LIMIT - len(_joined(head, problems, rows, ()))
    details, left_out = _fitting(_details(shown, LIMIT), room)
    if room >= 0 and not left_out:
        return _joined(head, problems, rows, details)
    return _shortened(head, problems, rows, shown, command_of(report))


def _shortened(
    head: str, problems: list[str], rows: list[str], shown: list[Entry], command: str
) -> str:
    """As much of each part as fits, from its beginning; then what was left out."""
    some, _ = _fitting(problems, PROBLEMS)
    some = some or [_cut(problem, PROBLEMS) for problem in problems[:1]]
    listed, _ = _fitting(rows, ROWS)
    room = LIMIT - len(_joined(head, some, listed, ())) - NOTE
    details, untold = _fitting(_details(shown, DETAIL), room)
    counted = ((len(problems) - len(some), "problem"), (len(rows) - len(listed), "task"))
    left_out = [f"{number:,} more {word}{'s' * (number > 1)}" for number, word in counted if number]
    left_out += [f"the details of all but {len(details)} tasks"] if untold else []
    whole = f" See all of it: `taskctl {command}`." if command in ("plan", "validate") else ""
    note = f"> Too long to show whole; left out: {', '.join(left_out) or 'some lines'}.{whole}"
    return _joined(head, some, listed, [*details, note])


def _joined(head: str, problems: list[str], rows: list[str], rest: Iterable[str]) -> str:
    blocks = [head]
    if problems:
        blocks.append(fence("\n".join(problems)))
    if rows:
        table = ("| | Task | Manifest | At the service |", "| --- | --- | --- | --- |", *rows)
        blocks.append("\n".join(table))
    return "\n\n".join([*blocks, *rest]) + "\n"


def _fitting(parts: Iterable[str], room: int) -> tuple[list[str], bool]:
    """The first ones that fit together, each with a blank line; whether there are more."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part) + 2
        if room < 0:
            return fitting, True
        fitting.append(part)
    return fitting, False


def _head(report: Report, shown: list[Entry]) -> str:
    kind = "Validate: " if isinstance(report, ValidateReport) else ""
    text = summary(report)
    if isinstance(report, Plan):
        names = ", ".join(map(span, report.organizations()))
        by = f" as {span(who(report.identity))}" if report.identity else ""
        kind = f"Plan{f' for {names}' if names else ''}{by}: "
        text = text.removeprefix("Plan: ")
    blocks = [f"### {kind}{text}"]
    if isinstance(report, Plan):
        blocks.append(f"At {span(report.backend)}.")
        blocks += budget_lines(report.budgets, name=span, mark="`")
        if not report.complete:
            blocks.append("**Incomplete:** existing tasks could not be read completely.")
        if outcome := outcome_row(report):
            blocks.append(outcome)
        used = {entry.word for entry in shown}
        meant = [f"**{action}**: {why}" for action, why in ACTIONS.items() if action in used]
        if any(entry.unattended for entry in shown):
            meant.append(f"**[{UNATTENDED}]**: {UNATTENDED_MEANS}")
        if meant:
            blocks.append("<br>\n".join(meant))
        if report.can_apply():
            blocks.append(
                f"Digest of this plan, for `apply --expect-plan`: `{plan_digest(report)}`"
            )
    return "\n\n".join(blocks)


def _row(entry: Entry, *, several: bool) -> str:
    name = f"{entry.org_name}/{entry.key}" if several else entry.key
    place = ":".join(str(part) for part in (entry.file, entry.line) if part)
    task_id = span(entry.task_id) if entry.task_id else ""
    at_service = link(entry.url, entry.task_id or "open") if entry.url else task_id
    alone = f" **[{UNATTENDED}]**" if entry.unattended else ""
    cells_of_row = (
        f"`{entry.sign}` {entry.label}{alone}",
        span(name),
        span(place) if place else "",
        at_service,
    )
    return f"| {' | '.join(cells_of_row)} |"


def _details(shown: list[Entry], most: int) -> Iterator[str]:
    for entry in shown:
        blocks = []
        if entry.why:
            blocks.append(paragraph(_cut(entry.why, most // 4)))
        for hint in entry.hints:
            if hint.text:
                blocks.append(paragraph(_cut(hint.text, most // 4)))
            if hint.commands:
                blocks.append(fence(_cut(hint.commands, most // 4), "sh"))
        rows = "\n".join(_difference(entry))
        if rows:
            blocks.append(fence(_cut(rows, most), "diff"))
        if blocks:
            title = f"<code>{entry.sign}</code> {entry.label} <code>{_name(entry.key)}</code>"
            inside = "\n\n".join(blocks)
            yield f"<details>\n<summary>{title}</summary>\n\n{inside}\n\n</details>"


def _difference(entry: Entry) -> Iterator[str]:
    if entry.inputs is not None:
        rows = setting_rows(entry.inputs, COLUMNS, Palette(on=False), verbose=True)
        yield from (f"+ {row}" for row in rows)
    for change in entry.diff:
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


def span(text: str) -> str:
    """A code span of one line, for a table's cell too; long text is cut in its middle."""
    shown = _cut(safe.line(text), SPAN, " ... ").replace("|", "\\x7c")
    if not shown.strip(" "):
        return "`(none)`" if not shown else "`(blank)`"
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{'`' * (longest + 1)}{pad}{shown}{pad}{'`' * (longest + 1)}"


def fence(text: str, language: str = "text") -> str:
    """A fence longer than any run of backticks in it."""
    shown = safe.block(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{shown}\n{marks}"


def paragraph(text: str) -> str:
    """Prose as a block of HTML; every word that could be a link, a mention, a reference to an
    issue or a commit, or markup of some host, is in `<code>`."""
    lines = [line for line in safe.block(text).split("\n") if line.strip()]
    return f"<p>{'<br>'.join(' '.join(map(_word, line.split())) for line in lines)}</p>"


def link(url: str, text: str) -> str:
    """A link, of an address that is just that; else its text alone."""
    return f"[{span(text)}]({url})" if _LINK.fullmatch(url) and len(url) <= SPAN else span(text)


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and not _REFERENCE.fullmatch(word):
        return safe.html(word)
    return f"<code>{safe.html(word)}</code>"


def _name(text: str) -> str:
    return safe.html(_cut(safe.line(text), SPAN, " ... "))


def _cut(text: str, most: int, mark: str = "\n... too long to show whole ...\n") -> str:
    """Its beginning and its end, where it is longer than `most`."""
    if len(text) <= most:
        return text
    kept = (most - len(mark)) // 2
    return f"{text[:kept]}{mark}{text[-kept:]}"
