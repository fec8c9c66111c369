"""`{{ NAME }}` in the strings of an entry: one pass, no logic, and a result that stays as it is.

A template names an axis, a field of one (`stack.owner`), or a part of the period. `{{ "{{" }}`
stands for the text `{{`. Anything else in braces is an error, never text by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.canonical import texts_in
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
    return text if _OPEN not in text else _filled(tuple(parts(text)), values)


def _filled(
    pieces: Iterable[str | Reference | TemplateFault], values: Mapping[str, str | None]
) -> str:
    return "".join(
        piece if isinstance(piece, str) else values[piece.name] or ""
        for piece in pieces
        if not isinstance(piece, TemplateFault)
    )


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


Filler = Callable[[Mapping[str, str | None]], tuple[Any, int]]
"""From the values of a task to a JSON value, and how many characters its strings have."""


def filler(value: Any) -> Filler:
    """Fills the templates of a JSON value, which is taken apart once for all tasks. What has no
    templates is the same object in each."""
    if next(templates_in(value), None) is None:
        constant = value, sum(map(len, texts_in(value)))
        return lambda _: constant
    if isinstance(value, str):
        return _text_filler(tuple(parts(value)))
    if isinstance(value, dict):
        members = [(name, filler(below)) for name, below in value.items()]
        return lambda values: _summed({name: fill(values) for name, fill in members})
    items = [filler(below) for below in value]

    def fill_items(values: Mapping[str, str | None]) -> tuple[Any, int]:
        made = [fill(values) for fill in items]
        return [item for item, _ in made], sum(size for _, size in made)

    return fill_items


def _text_filler(pieces: Sequence[str | Reference | TemplateFault]) -> Filler:
    def fill(values: Mapping[str, str | None]) -> tuple[str, int]:
        text = _filled(pieces, values)
        return text, len(text)

    return fill


def _summed(made: Mapping[str, tuple[Any, int]]) -> tuple[dict[str, Any], int]:
    return {name: part for name, (part, _) in made.items()}, sum(size for _, size in made.values())
