"""`fmt`: formats manifests, or lists those that are not formatted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.app.configuration import at_settings
from reconciler.app.context import Context
from reconciler.app.files import PUBLIC, write_file
from reconciler.manifest.discovery import Finder, unreadable_file
from reconciler.manifest.fmt import Formatted, format_manifest
from reconciler.model import limits
from reconciler.model.diagnostics import Diagnostic, TaskctlError
from reconciler.system import disk


@dataclass
class FmtReport:
    """Files by name, and problems. `check`: changes count as failures."""

    check: bool = False
    files: dict[str, Formatted] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def changed(self) -> list[str]:
        return [name for name, found in self.files.items() if found.changed]

    @property
    def unchanged(self) -> int:
        valid = sum(found.content is not None for found in self.files.values())
        return valid - len(self.changed)


def fmt(ctx: Context, paths: Sequence[str], *, check: bool) -> FmtReport:
    """Formats the manifests in place; with `check`, only reports the files that would change."""
    report = FmtReport(check)
    finder = Finder(ctx.settings.root)
    finder.find(ctx.settings.names(paths) or ctx.settings.paths)
    report.diagnostics += (
        finder.diagnostics if paths else at_settings(ctx.settings, finder.diagnostics)
    )
    for name in sorted(finder.files):
        _format_file(ctx.settings.root, report, name, finder)
    return report


def _format_file(root: Path, report: FmtReport, name: str, finder: Finder) -> None:
    try:
        content = disk.read_start(finder.files[name], limits.MANIFEST_BYTES)
    except OSError as problem:
        report.diagnostics.append(unreadable_file(name, problem))
        return
    found = report.files[name] = format_manifest(content, name)
    report.diagnostics += found.diagnostics
    if found.content is None or not found.changed or report.check:
        return
    try:
        write_file(root, name, found.content, "manifest", mode=PUBLIC)
    except TaskctlError as problem:
        report.diagnostics += problem.diagnostics
        del report.files[name]
