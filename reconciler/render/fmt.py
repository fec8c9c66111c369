"""The result of `fmt` as text and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from reconciler.app.fmt import FmtReport
from reconciler.manifest.fmt import Formatted
from reconciler.model.diagnostics import in_order
from reconciler.render import safe
from reconciler.render.counts import counted
from reconciler.render.document import json_document
from reconciler.render.style import Style


def fmt_document(report: FmtReport, *, diff: bool, text: bool) -> dict[str, object]:
    """The JSON document. `text`: includes the formatted text of the only file (stdin)."""
    valid = {name: file for name, file in report.files.items() if file.content is not None}
    files: list[dict[str, object]] = []
    for name, file in valid.items():
        files.append({"file": name, "changed": file.changed})
        if diff and file.changed:
            files[-1]["diff"] = "".join(f"{row}\n" for row in _diff(name, file))
    summary = {"changed": len(report.changed), "unchanged": report.unchanged}
    document = json_document(in_order(report.diagnostics), summary=summary, files=files)
    if text:
        contents = [file.content for file in valid.values() if file.content is not None]
        document["text"] = contents[0].decode() if contents else None
    return document


def fmt_text(report: FmtReport, style: Style, *, diff: bool) -> str:
    """The names of changed files, or their diffs."""
    if not diff:
        return "".join(f"{safe.line(name)}\n" for name in report.changed)
    paints = {"+": style.palette.green, "-": style.palette.red, "@": style.palette.dim}
    rows = [safe.block(row) for name in report.changed for row in _diff(name, report.files[name])]
    return "".join(f"{paints.get(row[:1], str)(row)}\n" for row in rows)


def fmt_summary(report: FmtReport, *, dry_run: bool) -> str:
    """`2 files formatted, 3 files already formatted`; empty without files."""
    changed, unchanged = len(report.changed), report.unchanged
    done = "would be formatted" if dry_run else "formatted"
    parts = ((changed, done), (unchanged, "already formatted"))
    return ", ".join(f"{counted(n, 'file')} {text}" for n, text in parts if n)


def _diff(name: str, found: Formatted) -> Iterator[str]:
    """A unified diff without line ends. A removed carriage return is shown as `\\r`."""
    before, after = _lines(found.before), _lines(found.content or b"")
    for row in unified_diff(before, after, name, name):
        yield row.removesuffix("\n").replace("\r", "\\r")
        if not row.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(content: bytes) -> list[str]:
    """Lines with their line feeds, which are the only line ends here."""
    *lines, last = content.decode("utf-8").split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])
