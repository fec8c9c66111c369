"""`taskctl fmt` without I/O: bytes in, bytes in canonical form out, or diagnostics.

The layout moves white space only (`layout.py`). The result is verified: it is read again by the
reader of `validate`, and must have the same data and the same text.
"""

from __future__ import annotations

from reconciler.manifest.finding import Finding
from reconciler.manifest.layout import lay_out
from reconciler.manifest.parse.source import Source, read_source
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.value import Value


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
        if made != content and not _has_same_meaning(source, read_source(made)):
            findings.append(Finding(Code.UNSAFE_EDIT, (), "format", position=(1, 1)))
    if findings:
        return Formatted(None, diagnostics=tuple(source.diagnostics(findings, file, excerpts=True)))
    return Formatted(made, made != content)


def _has_same_meaning(source: Source, made: Source) -> bool:
    """Whether the data is the same and, except for white space, the text with its comments."""
    texts = {each.body.translate(None, b" \t\r\n") for each in (source, made)}
    return not made.findings and made.data == source.data and len(texts) == 1
