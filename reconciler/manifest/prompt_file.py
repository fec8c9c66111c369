"""A file that holds a prompt."""

from __future__ import annotations

from reconciler.manifest.finding import Finding


class PromptFile:
    """A prompt file. `text` is None if it cannot be used; `has_braces`: it contains `{{`.

    `findings` are located in the file itself. `users` are manifests and their task keys.
    """

    def __init__(self, *, has_braces: bool) -> None:
        self.has_braces = has_braces
        self.text: str | None = None
        self.findings: list[Finding] = []
        self.users: set[tuple[str, str]] = set()
