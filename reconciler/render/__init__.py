"""Reports: one module for each format, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from reconciler.render.reports import Renderer

FORMATS = {
    "text": "reconciler.render.text",
    "json": "reconciler.render.json",
    "markdown": "reconciler.render.markdown",
    "github": "reconciler.render.github",
    "sarif": "reconciler.render.sarif",
    "junit": "reconciler.render.junit",
    "html": "reconciler.render.html",
}
"""The name of a format and its module, which has `render(report, style) -> str`."""

BASIC_FORMATS = ("text", "json")
"""Those of every command; the others are for reports on tasks."""


def renderer(name: str) -> Renderer:
    """The module for a format; KeyError where there is none of that name."""
    return cast("Renderer", import_module(FORMATS[name]))
