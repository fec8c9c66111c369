"""`taskctl fmt` without I/O: bytes in, bytes in canonical form out, or diagnostics.

The layout moves white space only (`layout.py`). The result is verified: it is read again by the
reader of `validate`, and must be the same data, made of the same events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.manifest.finding import Finding, finding
from reconciler.manifest.layout import laid_out
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.parse.spans import PARSER_ERRORS
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic

_ATTRIBUTES = ("anchor", "ctag", "value", "style", "flow_style", "implicit", "explicit")


@dataclass(frozen=True, slots=True)
class Formatted:
    """`content` is the canonical form, None if there is none: `diagnostics` say why."""

    before: bytes
    content: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def changed(self) -> bool:
        return self.content is not None and self.content != self.before


def format_manifest(content: bytes, file: str) -> Formatted:
    """The canonical form of a manifest; `file` is its name in diagnostics. Never raises.

    Invalid YAML has no canonical form; what only the schema rejects is formatted.
    """
    source = read_source(content)
    if source.findings:
        return _refused(content, file, source, source.findings)
    text = source.text.replace("\r\n", "\n").replace("\r", "\n")
    made = laid_out(text, pure=source.pure).encode("utf-8")
    if made != content:
        difference = _difference(source, made)
        if difference is not None:
            return _refused(content, file, source, [difference])
    return Formatted(content, made)


def _refused(content: bytes, file: str, source: Source, findings: list[Finding]) -> Formatted:
    return Formatted(content, None, tuple(source.diagnostics(findings, file)))


def _difference(source: Source, made: bytes) -> Finding | None:
    """The first difference in meaning between a file and its layout."""
    again = read_source(made)
    line = _first_other(source, again)
    same = not again.findings and again.data == source.data
    if line is None and same and _bare(again.body) == _bare(source.body):
        return None
    return finding(Code.UNSAFE_EDIT, (), "format", position=(line or 1, 1))


def _first_other(source: Source, again: Source) -> int | None:
    """The line of the first event whose meaning differs."""
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
    """Everything but white space, including comments."""
    return body.translate(None, b" \t\r\n")


def _events(source: Source) -> Iterator[Any]:
    next_event = source.events()
    return iter(next_event, None)


def _meaning(event: Any) -> tuple[object, ...]:
    """An event without its position: anchors, tags and styles count, too."""
    held = (getattr(event, name, None) for name in _ATTRIBUTES)
    return (type(event).__name__, *(h if isinstance(h, bool | tuple) else str(h) for h in held))
