"""`taskctl version`: prints the version."""

from __future__ import annotations

from reconciler import __version__
from reconciler.cli.command import Call, make_command


@make_command("version", examples=[("taskctl version --format json", "for a program")])
def command(call: Call) -> int:
    """Print the version."""
    from reconciler.render.document import json_document

    call.out.result(
        lambda: json_document(version=__version__), lambda _style: f"taskctl {__version__}\n"
    )
    return 0
