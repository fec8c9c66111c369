"""Report files: written last, each in its own format."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.app.files import write_file
from reconciler.app.settings import ReportFile, Settings
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError
from reconciler.render import Report, render
from reconciler.render.style import Style


def write_reports(
    report: Report, files: tuple[ReportFile, ...], settings: Settings, style: Style
) -> None:
    """Writes each report. Raises TaskctlError for those that failed, after writing the others."""
    problems: list[Diagnostic] = []
    for file in files:
        try:
            _write(report, style, file, settings)
        except TaskctlError as problem:
            problems += problem.diagnostics
    if problems:
        raise TaskctlError(problems)


def _write(report: Report, style: Style, file: ReportFile, settings: Settings) -> None:
    path, place = settings.path(file.file), Place(file.file)
    if _is_state_file(path):
        raise TaskctlError.of(Code.CANNOT_WRITE, "reportOverState", at=place, format=file.format)
    data = render(file.format, report, style).encode("utf-8", "backslashreplace")
    write_file(settings.folder, file.file, data, "report", format=file.format)


def _is_state_file(path: Path) -> bool:
    """Whether the path is a state file or one of its companion files. A state file of any name is
    recognized by its lock file."""
    name = re.sub(r"\.(journal|backup|lock)$", "", path.name)
    return name.endswith(".state.json") or path.with_name(f"{name}.lock").exists()
