"""Settings, changes and hints of a task as rows for a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.messages.template import Hint
from reconciler.model.canonical import ABSENT
from reconciler.model.fields import NAMES
from reconciler.model.task import Inputs
from reconciler.plan.plan import Change, Origin
from reconciler.render import cells, safe
from reconciler.render.style import Style
from reconciler.render.text_diff import (
    USUAL,
    DiffLine,
    PromptExcerpt,
    diff_lines,
    diff_rows,
    prompt_rows,
)

CONTEXT = 3  # unchanged lines around a change, except on a terminal
GUTTER = 4  # columns before each row of external text
NAMES_UP_TO = 22  # columns up to which values are aligned

_ORIGINS = {
    Origin.MANIFEST: "changed in the manifest",
    Origin.REMOTE: "changed at the service",
    Origin.BOTH: "changed in both",
}

_encoded = json.JSONEncoder(ensure_ascii=False, default=str).encode
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def flow(value: object) -> str:
    """A JSON value on one line, escaped, with unquoted names: `[{id: "datadog"}]`."""
    if value is ABSENT:
        return "(not set)"
    if isinstance(value, Mapping):
        members = (f"{_name(str(name))}: {flow(item)}" for name, item in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return safe.line(_encoded(value))


def settings_of(inputs: Inputs) -> tuple[dict[str, object], str | None]:
    """The settings by name, in the order of the field table and with entities last; and the
    prompt."""
    names = (*NAMES, *sorted(inputs.keys() - set(NAMES)))
    settings = {name: inputs[name] for name in names if name in inputs and name != "message"}
    message = inputs.get("message") or {}
    for name, value in sorted(message.items()):
        added = value.get("add") if name == "entity_diff" and isinstance(value, Mapping) else None
        if added and len(value) == 1:
            settings["entities"] = added
        elif name != "content":
            settings[f"message.{name}"] = value
    prompt = message.get("content")
    return settings, prompt if isinstance(prompt, str) else None


def setting_rows(inputs: Inputs, style: Style, excerpt: PromptExcerpt = USUAL) -> list[str]:
    """The inputs of a new task: settings, entities, and the prompt or an `excerpt` of it."""
    settings, prompt = settings_of(inputs)
    entities = settings.pop("entities", None)
    rows = _table(settings, style)
    if isinstance(entities, list | tuple) and entities:
        rows += _list("entities", entities, style)
    if prompt is not None:
        shown = prompt_rows(prompt, style.indented(GUTTER), excerpt)
        rows += ["message:", *_gutter(shown, style)]
    return rows


def change_rows(diff: Sequence[Change], style: Style) -> list[str]:
    """Rows for each field: `approvalMode: "manual" -> "auto" (changed at the service)`."""
    palette = style.palette
    short = [change for change in diff if not is_prose(change) and _fits(change, style.width, 0)]
    pad = _pad(change.path for change in short)
    short = [change for change in short if _fits(change, style.width, pad)]
    rows: list[str] = []
    for change in short:
        name = f"{safe.line(change.path)}:"
        sides = f"{palette.red(flow(change.before))} -> {palette.green(flow(change.after))}"
        rows.append(f"{name:{pad}} {sides}  {palette.dim(f'({origin_of(change)})')}")
    for change in diff:
        if change not in short:
            rows.append(f"{safe.line(change.path)}:  {palette.dim(f'({origin_of(change)})')}")
            before, after = map(side_text, (change.before, change.after))
            rows += _gutter(diff_rows(before, after, style.indented(GUTTER)), style)
    return rows


def hint_rows(hints: Iterable[Hint], style: Style) -> Iterator[str]:
    """The rows of hints, wrapped, except for commands, which people copy."""
    for hint in hints:
        if hint.text:
            yield from cells.wrap_words(safe.line(hint.text), style.width)
        for command in hint.commands:
            yield f"  {style.palette.cyan(safe.line(command))}"


def origin_of(change: Change) -> str:
    """The origin of a change, and how to apply it: `changed in the manifest, in place`."""
    if change.is_undeclared:
        return "no longer in the manifest"
    return f"{_ORIGINS[change.origin]}, {'in place' if change.in_place else 'needs a new task'}"


def is_prose(change: Change) -> bool:
    sides = (change.before, change.after)
    return any(isinstance(side, str) and "\n" in side for side in sides)


def lines_of_change(change: Change) -> list[DiffLine]:
    """The difference by line, for formats that show it as such."""
    return diff_lines(side_text(change.before), side_text(change.after), CONTEXT)


def side_text(side: object) -> str | None:
    """The text of a side to compare by line, with list items on separate lines; None if absent."""
    if side is ABSENT:
        return None
    if isinstance(side, str):
        return side
    if isinstance(side, list | tuple) and side:
        return "\n".join(map(flow, side))
    return flow(side)


def _fits(change: Change, columns: int, pad: int) -> bool:
    sides = cells.width(flow(change.before)) + cells.width(flow(change.after))
    name = max(cells.width(change.path) + 1, pad)
    return name + sides + len(f"  ->   ({origin_of(change)})") <= columns


def _table(settings: Mapping[str, object], style: Style) -> list[str]:
    pad = _pad(settings)
    rows: list[str] = []
    for name, value in settings.items():
        row = f"{safe.line(name) + ':':{pad}} {flow(value)}"
        if cells.width(row) <= style.width:
            rows.append(row)
        else:
            rows += _list(name, value if isinstance(value, list | tuple) else [value], style)
    return rows


def _list(name: str, values: Iterable[object], style: Style) -> list[str]:
    rows = [row for value in values for row in cells.wrap(flow(value), style.width - GUTTER, 2)]
    return [f"{safe.line(name)}:", *_gutter(rows, style)]


def _gutter(rows: Iterable[str], style: Style) -> list[str]:
    """Prefixes every row of external text, so that no row begins with that text."""
    return [f"  {style.palette.dim('|')} {row}".rstrip() for row in rows]


def _pad(names: Iterable[str]) -> int:
    """The column of the values, which are aligned unless their names are too long."""
    return 1 + max((len(name) for name in names if len(name) <= NAMES_UP_TO), default=0)


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else flow(name)
