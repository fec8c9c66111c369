"""The catalog of messages: the wording of each code, and the page that explains it.

The wording is in the Markdown files of this package (`catalog.py` describes their format). A file
is read only once one of its messages is needed.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.model.paths import shown

if TYPE_CHECKING:
    from reconciler.messages.catalog import Message
    from reconciler.model.diagnostics import Diagnostic


def load_all() -> None:
    """Reads all files now: later, it may be impossible to open files."""
    from reconciler.messages.catalog import AREAS, text_of

    for name in (*chain(*AREAS.values()), "remarks", "notes", "questions"):
        text_of(name)


def word(diagnostic: Diagnostic, commands: Commands = AS_WRITTEN) -> Message:
    """The diagnostic in words: its summary (one line, `WHERE: WHAT (ROW)`), its detail, its
    command."""
    message = wording(diagnostic, commands)
    path, row = diagnostic.at.path, diagnostic.at.row
    if not path and row is None:
        return message
    where = f"{shown(path)}: " if path else ""
    return message._replace(summary=f"{where}{message.summary}{f' ({row})' if row else ''}")


def wording(diagnostic: Diagnostic, commands: Commands = AS_WRITTEN) -> Message:
    """The same as `word`, without WHERE."""
    from reconciler.messages.catalog import Message, entry
    from reconciler.messages.remarks import fill_in

    template = entry(diagnostic.code).cases[diagnostic.case]
    message = Message(*(fill_in(part, diagnostic.args) for part in template))
    command = "\n".join(commands.block(message.command))
    return message._replace(detail=commands.completed(message.detail), command=command)


def plain_text(diagnostic: Diagnostic, commands: Commands = AS_WRITTEN) -> str:
    """The whole message as plain text: `WHERE: WHAT [CODE]`, then the explanation."""
    message = word(diagnostic, commands)
    head = f"{message.summary} [{diagnostic.code}]"
    return "\n".join(part for part in (head, message.explanation) if part)
