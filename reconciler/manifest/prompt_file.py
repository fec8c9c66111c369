"""A file that holds a prompt."""

from __future__ import annotations

from reconciler.manifest.finding import Finding


class PromptFile:
    """A prompt file. `text` is None if it cannot be used; `body` is its content for excerpts, and
    `has_braces` is true if it contains `{{`.

    `findings` are located in the file itself. `users` are manifests and their task keys.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.has_braces = b"{{" in body
        self.text: str | None = None
        self.findings: list[Finding] = []
        self.users: set[tuple[str, str]] = set()
