"""`{{ NAME }}` in the strings of an entry: one pass, no logic, and a result that stays as it is.

A template names an axis, a field of one (`stack.owner`), or a part of the period. `{{ "{{" }}`
stands for the text `{{`. Anything else in braces is an error, never text by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.diagnostics import Path

_OPEN = "{{"
_PART = re.compile(r"\{\{(?:\s*(?:(?P<name>[A-Za-z][A-Za-z0-9_.]*)|(?P<open>\"\{\{\"))\s*\}\})?")
_INSIDE = 40
"""How many characters of what stands in braces a message shows."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a template, and the offset at which its braces open."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """`case` is `malformed`, `unknown` or `mapping`; `suggestion` a name that is close, or ""."""

    case: str
    text: str
    offset: int
    suggestion: str = ""


def parts(text: str) -> Iterator[str | Reference | TemplateFault]:
    """The text of a template in pieces: literal text, names, and what is neither."""
    end = 0
    for match in _PART.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        end = match.end()
        if match["name"]:
            yield Reference(match["name"], match.start())
        elif match["open"]:
            yield _OPEN
        else:
            inside = text[match.start() : match.start() + _INSIDE].splitlines()[0]
            yield TemplateFault("malformed", inside, match.start())
    if end < len(text):
        yield text[end:]


def names(text: str) -> frozenset[str]:
    """The names that a template refers to."""
    if _OPEN not in text:
        return frozenset()
    return frozenset(part.name for part in parts(text) if isinstance(part, Reference))


def faults(text: str, known: Mapping[str, str | None]) -> list[TemplateFault]:
    """What is wrong with a template. `known` has every name that may be used; None marks a name
    that stands for a mapping, of which only the fields are text."""
    if _OPEN not in text:
        return []
    found = []
    for part in parts(text):
        if isinstance(part, TemplateFault):
            found.append(part)
        elif isinstance(part, Reference) and known.get(part.name) is None:
            case = "mapping" if part.name in known else "unknown"
            found.append(TemplateFault(case, part.name, part.offset, _similar(part.name, known)))
    return found


def _similar(name: str, known: Mapping[str, str | None]) -> str:
    from difflib import get_close_matches  # takes time to import; few templates have faults

    texts = [known_name for known_name, value in known.items() if value is not None]
    fields = [field for field in texts if field.startswith(f"{name}.")]
    return next(iter(fields or get_close_matches(name, texts, 1)), "")


def substitute(text: str, values: Mapping[str, str | None]) -> str:
    """The template with its values; of a template without faults."""
    if _OPEN not in text:
        return text
    filled = []
    for part in parts(text):
        if isinstance(part, Reference):
            filled.append(values[part.name] or "")
        elif isinstance(part, str):
            filled.append(part)
    return "".join(filled)


def templates_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The templates of a JSON value and where they are; names of members are never templates."""
    if isinstance(value, str):
        if _OPEN in value:
            yield path, value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from templates_in(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from templates_in(below, (*path, index))


def filled(value: object, values: Mapping[str, str | None]) -> tuple[Any, int]:
    """A JSON value with its templates filled, and how many characters its strings have."""
    if isinstance(value, str):
        text = substitute(value, values)
        return text, len(text)
    if isinstance(value, dict):
        parts = {name: filled(below, values) for name, below in value.items()}
        return {n: part for n, (part, _) in parts.items()}, sum(s for _, s in parts.values())
    if isinstance(value, list):
        items = [filled(below, values) for below in value]
        return [item for item, _ in items], sum(size for _, size in items)
    return value, 0
