"""`taskctl fmt` without its files: bytes in, bytes in canonical form out, or the reasons why not.

The layout moves white space only (`layout.py`). That nothing is meant otherwise is not taken for
granted: before anything is given back it is read again by the reader of `validate`, and has to be
the same data, made of the same events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.manifest.layout import laid_out
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.parse.spans import PARSER_ERRORS
from reconciler.manifest.problem import Problem, placed
from reconciler.model.diagnostics import Diagnostic

_UNKEPT = "fmt cannot put this into its form without changing what it means; it was left as it is"
_MEND = (
    "Nothing is wrong with the manifest. Write the lines from here on more plainly, or leave the "
    "file out of fmt."
)
_ATTRIBUTES = ("anchor", "ctag", "value", "style", "flow_style", "implicit", "explicit")


@dataclass(frozen=True, slots=True)
class Formatted:
    """`content` is the canonical form, None where there is none: `diagnostics` say why."""

    before: bytes
    content: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def changed(self) -> bool:
        return self.content is not None and self.content != self.before


def format_manifest(content: bytes, file: str) -> Formatted:
    """The canonical form of a manifest; `file` is what messages call it. Never raises.

    Errors of form refuse it, as with `validate`; what a schema would find wrong does not.
    """
    source = read_source(content)
    if source.problems:
        return _refused(content, file, source, source.problems)
    text = source.text.replace("\r\n", "\n").replace("\r", "\n")
    made = laid_out(text, pure=source.pure).encode("utf-8")
    if made != content:
        problem = _difference(source, made)
        if problem is not None:
            return _refused(content, file, source, [problem])
    return Formatted(content, made)


def _refused(content: bytes, file: str, source: Source, problems: list[Problem]) -> Formatted:
    found = placed(problems, file=file, text=source.text, events=source.events)
    return Formatted(content, None, tuple(found))


def _difference(source: Source, made: bytes) -> Problem | None:
    """What is not as it was, at the first place where it is not."""
    again = read_source(made)
    line = _first_other(source, again)
    same = not again.problems and again.data == source.data
    if line is None and same and _bare(again.body) == _bare(source.body):
        return None
    return Problem((), _UNKEPT, _MEND, line=line or 1, column=1)


def _first_other(source: Source, again: Source) -> int | None:
    """The line of the first event that says something else now."""
    line: int = 1
    try:
        for then, now in zip(_events(source), _events(again), strict=True):
            line = then.start_mark.line + 1
            if _meaning(then) != _meaning(now):
                return line
    except PARSER_ERRORS:
        return line
    return None


def _bare(body: bytes) -> bytes:
    """All that is no white space: comments too."""
    return body.translate(None, b" \t\r\n")


def _events(source: Source) -> Iterator[Any]:
    next_event = source.events()
    return iter(next_event, None)


def _meaning(event: Any) -> tuple[object, ...]:
    """All that an event says but for its place: anchors, tags and styles are kept as well."""
    held = (getattr(event, name, None) for name in _ATTRIBUTES)
    return (type(event).__name__, *(h if isinstance(h, bool | tuple) else str(h) for h in held))
