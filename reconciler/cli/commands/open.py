"""`taskctl open`: opens a task's page or pull request in the browser."""

from __future__ import annotations

import os
import sys

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import BACKEND, STATE, argument, option
from reconciler.system.git import SECRETS


@make_command(
    "open",
    argument("key", "KEY", candidates.keys),
    option("--pr", "pull_requests", is_flag=True, help="Open the task's pull request."),
    *(BACKEND, STATE),
    examples=[
        ("taskctl open rotate-iam-keys", "open the task's page in Pulumi Cloud"),
        ("taskctl open upgrade@network --pr", "open its pull request"),
    ],
)
def command(call: Call, key: str, pull_requests: bool) -> int:
    """Open the page of a task in the browser.

    Without a terminal or a browser, or if there are several pull requests, the addresses are
    printed instead.
    """
    from reconciler.app.open import addresses
    from reconciler.render import safe
    from reconciler.render.document import json_document

    out = call.out
    urls = addresses(call.ctx, key, pull_requests=pull_requests)
    as_text = out.options.format == "text"
    if as_text and len(urls) == 1 and sys.stdout.isatty() and _show(urls[0]):
        return 0
    out.result(
        lambda: json_document(urls=list(urls)),
        lambda _: "".join(f"{safe.line(url)}\n" for url in urls),
    )
    return 0


def _show(url: str) -> bool:
    """Opens the URL in a browser, which does not get the access token and keys of states; False
    without one."""
    import webbrowser

    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(SECRETS)}
    try:
        return webbrowser.open(url)
    finally:
        os.environ.update(hidden)
