"""`taskctl version`: prints the version."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli.help import printing_command
from reconciler.render import BASIC_FORMATS


@printing_command(
    "version",
    examples=[("taskctl version --format json", "for a program")],
    formats=BASIC_FORMATS,
)
def command(_ctx: click.Context, format_name: str) -> str:
    """Print the version."""
    if format_name != "json":
        return f"taskctl {__version__}\n"
    from reconciler.render.document import dump, json_document

    return dump(json_document(version=__version__))
