"""The result of `fmt` as text and as a document."""

from __future__ import annotations

from reconciler.app.fmt import FmtReport
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import in_order
from reconciler.render import safe
from reconciler.render.document import json_document
from reconciler.render.style import counted


def fmt_document(report: FmtReport, commands: Commands) -> dict[str, object]:
    valid = {name: file for name, file in report.files.items() if file.content is not None}
    return json_document(
        in_order(report.diagnostics),
        commands,
        summary={"changed": len(report.changed), "unchanged": report.unchanged},
        files=[{"file": name, "changed": file.changed} for name, file in valid.items()],
    )


def fmt_text(report: FmtReport) -> str:
    """The names of changed files."""
    return "".join(f"{safe.line(name)}\n" for name in report.changed)


def fmt_summary(report: FmtReport) -> str:
    """`2 files formatted, 3 files already formatted`; empty without files."""
    changed, unchanged = len(report.changed), report.unchanged
    done = "would be formatted" if report.check else "formatted"
    parts = ((changed, done), (unchanged, "already formatted"))
    return ", ".join(f"{counted(n, 'file')} {text}" for n, text in parts if n)
