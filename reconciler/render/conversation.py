"""The conversation of a task as text, with times and durations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, timedelta

from reconciler.render import cells, safe
from reconciler.render.markup import markdown_rows, plain_rows
from reconciler.render.reports import Palette, Style
from reconciler.tasks.conversation import ConversationEntry, Kind
from reconciler.tasks.events import Approval, text_in

TOOL_ROWS = 4  # of what a tool gave; -v shows all
_NARROWEST = 10  # columns of text
_GUTTER = 10 + 11  # the time of day and who it is

_NAMES = {Kind.FINAL: "assistant", Kind.CALL: "tool", Kind.UNKNOWN: "other"}


class ConversationText:
    """Renders entries in order. `rich`: renders Markdown and wraps text, as for a terminal;
    otherwise lines are kept."""

    def __init__(self, style: Style, *, rich: bool) -> None:
        self._style = style
        self._palette = style.palette
        self._rich = rich
        self._day: date | None = None

    def text(self, entries: Iterable[ConversationEntry]) -> str:
        rows = "".join(f"{row}\n" for entry in entries for row in self._entry(entry))
        return safe.without_commands(rows)  # a row may begin where a line was broken

    def _entry(self, entry: ConversationEntry) -> list[str]:
        rows = self._day_row(entry)
        at = entry.at.astimezone(UTC).strftime("%H:%M:%S") if entry.at else "--:--:--"
        name = _NAMES.get(entry.kind, entry.kind.value)
        head = self._palette.dim(f"{at}  ") + _paint(self._palette, entry)(name.ljust(11))
        content = self._content(entry) or [""]
        rows.append((head + content[0]).rstrip())
        rows += [(" " * _GUTTER + row).rstrip() for row in content[1:]]
        return rows

    def _day_row(self, entry: ConversationEntry) -> list[str]:
        day = entry.at.astimezone(UTC).date() if entry.at else self._day
        if day == self._day or day is None:
            return []
        self._day = day
        return [self._palette.dim(f"{day.isoformat()} (UTC)")]

    def _content(self, entry: ConversationEntry) -> list[str]:
        match entry.kind:
            case Kind.CALL:
                return self._flat(f"{entry.label} {entry.text}")
            case Kind.TOOL:
                return self._tool(entry)
            case Kind.APPROVAL if entry.approval is not None:
                return approval_rows(entry.approval, self._style, _GUTTER, rich=self._rich)
            case Kind.ANSWER:
                return self._prose(f"{entry.label}: {entry.text}" if entry.text else entry.label)
            case Kind.UNKNOWN:
                return self._flat(f"an event of type {entry.label}, which is new to taskctl")
            case Kind.CANCELLED:
                return self._flat(entry.text or "by the user")
        return self._prose(entry.text)

    def _tool(self, entry: ConversationEntry) -> list[str]:
        end = "failed" if entry.is_bad else "done"
        took = f" after {seconds(entry.took)}" if entry.took is not None else ""
        rows = self._flat(f"{entry.label} {end}{took}")
        given = plain_rows(safe.block(entry.text)) if entry.text.strip() else []
        if not self._style.verbose and len(given) > TOOL_ROWS + 1:
            more = f"({len(given) - TOOL_ROWS} more lines, -v shows them)"
            given = [*given[:TOOL_ROWS], more]
        return rows + [self._palette.dim(self._cut(line)) for line in given]

    @property
    def _columns(self) -> int:
        return max(_NARROWEST, self._style.width - _GUTTER)

    def _flat(self, text: str) -> list[str]:
        return [self._cut(safe.line(text))]

    def _cut(self, line: str) -> str:
        whole = not self._rich or self._style.verbose or cells.width(line) <= self._columns
        return line if whole else cells.split(line, self._columns - 1)[0] + "…"

    def _prose(self, text: str) -> list[str]:
        return _prose(text, self._columns, self._palette, rich=self._rich)


def approval_rows(
    approval: Approval, style: Style, indent: int = 0, *, rich: bool = True
) -> list[str]:
    """An approval request with everything that it contains."""
    palette = style.palette
    columns = max(_NARROWEST, style.width - indent)
    rows = _prose(approval.message, columns, palette, rich=rich)
    facts = [approval.kind.replace("_", " ")]
    facts += ["sensitive"] if approval.is_sensitive else []
    facts += [f"tool {tool}"] if (tool := text_in(approval.context, "tool_name")) else []
    facts += [f"id {approval.id}"]
    told = safe.line(", ".join(fact for fact in facts if fact))
    rows += [palette.dim(row) for row in (cells.wrap_words(told, columns) if rich else [told])]
    if plan := text_in(approval.context, "plan_description"):
        rows += ["", *_prose(plan, columns, palette, rich=rich)]
    diffs = approval.context.get("git_diff")
    for name, patch in diffs.items() if isinstance(diffs, Mapping) else ():
        rows += ["", palette.bold(safe.line(str(name))), *_patch(patch, palette)]
    return rows


def seconds(took: timedelta) -> str:
    """`0.3 s`, `12 s`, `3 min 20 s`."""
    whole = took.total_seconds()
    if whole < 10:
        return f"{whole:.1f} s"
    minutes, rest = divmod(round(whole), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def age(seconds: float) -> str:
    """`40s`, `12m`, `3h`, `9d`: in the largest unit that fits."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _prose(text: str, columns: int, palette: Palette, *, rich: bool) -> list[str]:
    inert = safe.block(text)
    return markdown_rows(inert, columns, palette) if rich else plain_rows(inert)


def _patch(patch: object, palette: Palette) -> list[str]:
    text = patch if isinstance(patch, str) else json.dumps(patch)
    rows = []
    for line in plain_rows(safe.block(text)):
        paint = {"+": palette.green, "-": palette.red, "@": palette.cyan}.get(line[:1])
        rows.append("  " + (paint(line) if paint else line))
    return rows


def _paint(palette: Palette, entry: ConversationEntry) -> Callable[[str], str]:
    if entry.is_bad:
        return palette.red
    match entry.kind:
        case Kind.USER:
            return palette.blue
        case Kind.ASSISTANT | Kind.FINAL:
            return palette.green
        case Kind.APPROVAL | Kind.WARNING:
            return palette.yellow
        case Kind.ANSWER:
            return palette.cyan
    return palette.dim
