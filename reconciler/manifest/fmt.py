"""`taskctl fmt` without I/O: bytes in, bytes in canonical form out, or diagnostics.

The layout moves white space only (`layout.py`). The result is verified: it is read again by the
reader of `validate`, and must consist of the same events and data.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml.events import ScalarEvent

from reconciler.manifest.finding import Finding
from reconciler.manifest.layout import lay_out
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.parse.spans import PARSER_ERRORS
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.value import Value

_ATTRIBUTES = ("anchor", "ctag", "value", "style", "flow_style", "implicit", "explicit")


class Formatted(Value, frozen=True):
    """`content` is the canonical form; None for the reason in `diagnostics`."""

    content: bytes | None
    changed: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()


def format_manifest(content: bytes, file: str) -> Formatted:
    """The canonical form of a manifest; `file` is its name in diagnostics. Never raises.

    Invalid YAML has no canonical form; a file that only violates the schema is formatted.
    """
    source = read_source(content)
    findings = list(source.findings)
    made = content
    if not findings:
        text = source.text.replace("\r\n", "\n").replace("\r", "\n")
        made = lay_out(text, pure=source.pure).encode("utf-8")
        if made != content:
            findings += _differences(source, made)
    if findings:
        return Formatted(None, diagnostics=tuple(source.diagnostics(findings, file, excerpts=True)))
    return Formatted(made, made != content)


def _differences(source: Source, made: bytes) -> list[Finding]:
    """A finding at the first difference in meaning between a file and its layout."""
    again = read_source(made)
    line = _first_difference(source, again)
    same = not again.findings and again.data == source.data
    if line is None and same and _bare(again.body) == _bare(source.body):
        return []
    return [Finding(Code.UNSAFE_EDIT, (), "format", position=(line or 1, 1))]


def _first_difference(source: Source, again: Source) -> int | None:
    """The line of the first event whose meaning differs."""
    line: int = 1
    try:
        for then, now in zip(iter(source.events(), None), iter(again.events(), None), strict=True):
            line = then.start_mark.line + 1
            if _meaning(then) != _meaning(now):
                return line
    except PARSER_ERRORS:
        return line
    return None


def _bare(body: bytes) -> bytes:
    """The text without white space, with comments."""
    return body.translate(None, b" \t\r\n")


def _meaning(event: Any) -> tuple[object, ...]:
    """An event without its position, but with anchors, tags and styles."""
    if type(event) is ScalarEvent and event.ctag is None:  # most events
        return (event.value, event.style, event.anchor, event.implicit)
    held = (getattr(event, name, None) for name in _ATTRIBUTES)
    return (type(event).__name__, *(h if isinstance(h, bool | tuple) else str(h) for h in held))
