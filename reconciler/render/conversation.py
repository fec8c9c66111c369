"""The conversation of a task as text, with times."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, timedelta

from reconciler.messages.remarks import word_remarks
from reconciler.render import cells, safe
from reconciler.render.style import Palette, Style
from reconciler.tasks.conversation import ConversationEntry, EntryKind
from reconciler.tasks.events import Approval, text_in

TOOL_ROWS = 4  # maximum rows of a tool's output, without -v
_NARROWEST = 10  # minimum columns of text
_NAME = 11  # columns of a name
_GUTTER = 10 + _NAME  # the time of day and the name

_NAMES = {EntryKind.FINAL: "assistant", EntryKind.CALL: "tool", EntryKind.UNKNOWN: "other"}


class ConversationText:
    """Renders entries in order. Wraps text for a `terminal`; otherwise, keeps its lines."""

    def __init__(self, style: Style, *, terminal: bool) -> None:
        self._style = style
        self._terminal = terminal
        self._inner = style.indented(_GUTTER)
        self._columns = max(_NARROWEST, self._inner.width)
        self._day: date | None = None

    def text(self, entries: Iterable[ConversationEntry]) -> str:
        rows = "".join(f"{row}\n" for entry in entries for row in self._entry(entry))
        return safe.without_commands(rows)  # wrapping can move a command to the start of a row

    def _entry(self, entry: ConversationEntry) -> list[str]:
        rows = []
        at = entry.at.astimezone(UTC) if entry.at else None
        if at is not None and at.date() != self._day:
            self._day = at.date()
            rows.append(self._style.palette.dim(f"{self._day.isoformat()} (UTC)"))
        time = self._style.palette.dim(f"{at:%H:%M:%S}  " if at else "--:--:--  ")
        name = _NAMES.get(entry.kind, entry.kind.value).ljust(_NAME)
        first, *more = self._content(entry) or [""]
        rows.append((time + _paint(self._style.palette, entry)(name) + first).rstrip())
        return rows + [(" " * _GUTTER + row).rstrip() for row in more]

    def _content(self, entry: ConversationEntry) -> list[str]:
        text = entry.text if entry.note is None else word_remarks([entry.note]).note
        match entry.kind:
            case EntryKind.CALL:
                return [self._line(f"{entry.label} {entry.text}")]
            case EntryKind.TOOL:
                return self._tool(entry)
            case EntryKind.APPROVAL if entry.approval is not None:
                return approval_rows(entry.approval, self._inner, terminal=self._terminal)
            case EntryKind.ANSWER:
                text = f"{entry.label}: {entry.text}" if entry.text else entry.label
            case EntryKind.UNKNOWN:
                return [self._line(f"unknown event type {entry.label}")]
            case EntryKind.CANCELLED:
                return [self._line(text)]
            case _:
                pass
        return _prose(text, self._inner, terminal=self._terminal)

    def _tool(self, entry: ConversationEntry) -> list[str]:
        end = "failed" if entry.is_bad else "done"
        output = _lines(safe.block(entry.text)) if entry.text.strip() else []
        if not self._style.verbose and len(output) > TOOL_ROWS + 1:
            more = f"({len(output) - TOOL_ROWS} more lines, -v shows them)"
            output = [*output[:TOOL_ROWS], more]
        head = self._line(f"{entry.label} {end}")
        return [head, *(self._style.palette.dim(self._cut(line)) for line in output)]

    def _line(self, text: str) -> str:
        return self._cut(safe.line(text))

    def _cut(self, line: str) -> str:
        whole = not self._terminal or self._style.verbose or cells.width(line) <= self._columns
        return line if whole else cells.split(line, self._columns - 1)[0] + "…"


def approval_rows(approval: Approval, style: Style, *, terminal: bool = True) -> list[str]:
    """An approval request with everything that it contains."""
    palette = style.palette
    rows = _prose(approval.message, style, terminal=terminal)
    facts = [approval.kind.replace("_", " ")]
    facts += ["sensitive"] if approval.is_sensitive else []
    facts += [f"tool {tool}"] if (tool := text_in(approval.context, "tool_name")) else []
    facts += [f"id {approval.id}"]
    line = safe.line(", ".join(fact for fact in facts if fact))
    wrapped = cells.wrap_words(line, max(_NARROWEST, style.width)) if terminal else [line]
    rows += map(palette.dim, wrapped)
    if plan := text_in(approval.context, "plan_description"):
        rows += ["", *_prose(plan, style, terminal=terminal)]
    diffs = approval.context.get("git_diff")
    for name, patch in diffs.items() if isinstance(diffs, Mapping) else ():
        rows += ["", palette.bold(safe.line(str(name))), *_patch(patch, palette)]
    return rows


def age(duration: timedelta) -> str:
    """`40s`, `12m`, `3h`, `9d`: in the largest unit that fits."""
    whole = max(0, int(duration.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _prose(text: str, style: Style, *, terminal: bool) -> list[str]:
    lines = _lines(safe.block(text))
    if not terminal:
        return lines
    columns = max(_NARROWEST, style.width)
    return [row for line in lines for row in cells.wrap(line, columns, cells.hanging_indent(line))]


def _lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def _patch(patch: object, palette: Palette) -> list[str]:
    text = patch if isinstance(patch, str) else json.dumps(patch)
    paints = {"+": palette.green, "-": palette.red, "@": palette.cyan}
    lines = _lines(safe.block(text))
    return [f"  {paints.get(line[:1], str)(line)}" for line in lines]


def _paint(palette: Palette, entry: ConversationEntry) -> Callable[[str], str]:
    if entry.is_bad:
        return palette.red
    return {
        EntryKind.USER: palette.blue,
        EntryKind.ASSISTANT: palette.green,
        EntryKind.FINAL: palette.green,
        EntryKind.APPROVAL: palette.yellow,
        EntryKind.WARNING: palette.yellow,
        EntryKind.ANSWER: palette.cyan,
    }.get(entry.kind, palette.dim)
