"""`taskctl version`: the same as `taskctl --version`."""

from __future__ import annotations

from reconciler import __version__
from reconciler.cli.command import Call, make_command


@make_command("version", examples=[("taskctl version --format json", "for a program")])
def command(call: Call) -> int:
    """Print the version."""
    document = {"formatVersion": 1, "diagnostics": [], "version": __version__}
    call.out.result(lambda: document, lambda _style: f"taskctl {__version__}\n")
    return 0
