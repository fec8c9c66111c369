"""Report formats: one module each, imported when the format is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.render.reports import Report, Style

FORMATS = ("text", "json", "markdown", "github", "sarif", "junit", "html")
"""The formats of reports; the module of the same name has `render(report, style) -> str`."""

BASIC_FORMATS = ("text", "json")
"""The formats of every command. The others are for reports about tasks."""


def render(name: str, report: Report, style: Style) -> str:
    """The whole report; ends with a line feed unless empty. KeyError for an unknown format."""
    if name not in FORMATS:
        raise KeyError(name)
    text: str = import_module(f"{__name__}.formats.{name}").render(report, style)
    return text
