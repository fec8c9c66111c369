"""The explanation of a code: what `taskctl explain` prints, and its section of the reference."""

from __future__ import annotations

from string import Formatter

from reconciler.messages.catalog import entry
from reconciler.model.codes import Code


def codes() -> list[Code]:
    """All codes, by number."""
    return sorted(Code)


def section(code: Code) -> str:
    """The explanation in Markdown: why it matters, how to fix it, and the messages."""
    found = entry(code)
    messages = "\n".join(f"- {message}" for message in messages_of(code))
    return f"{found.why}\n\nHow to fix it: {found.fix}\n\nMessages:\n\n{messages}\n"


def messages_of(code: Code) -> list[str]:
    """The summaries of a code; the names of facts are in upper case in place of their values."""
    return list(dict.fromkeys(_outline(case.summary) for case in entry(code).cases.values()))


_OPTIONAL = ("s", "at", "more", "paren", "until")
"""The formats of facts that may be absent, and so bring their own separators."""


def _outline(template: str) -> str:
    parts = []
    for text, name, spec, _ in Formatter().parse(template):
        parts.append(text)
        if name is not None and spec not in _OPTIONAL:
            parts.append(name.upper())
    return "".join(parts)
