"""Report formats: one module each, imported when the format is used."""

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
"""Format names and their modules; each module has `render(report, style) -> str`."""

BASIC_FORMATS = ("text", "json")
"""The formats of every command. The others are for reports about tasks."""


def renderer(name: str) -> Renderer:
    """The module of a format. Raises KeyError for an unknown name."""
    return cast("Renderer", import_module(FORMATS[name]))
