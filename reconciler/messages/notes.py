"""The wording of notes and questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reconciler.messages.catalog import Message, sections
from reconciler.messages.remarks import fill_in
from reconciler.model.notes import Note, Question
from reconciler.model.remarks import Arg


def note_text(note: Note | Question, facts: Mapping[str, Arg]) -> str:
    """A note or a question in words: a sentence, and commands on lines of their own."""
    template = note_templates()[note.value]
    commands = (f"    {line}" for line in template.command.split("\n") if line)
    return fill_in("\n".join((template.summary, *commands)), facts)


@cache
def note_templates() -> dict[str, Message]:
    """The wording of every note and question, by its case."""
    found = (*sections("notes").values(), *sections("questions").values())
    return {name: wording for section in found for name, wording in section.cases.items()}
