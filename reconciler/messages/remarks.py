"""The wording of remarks: a note, and hints that say how to proceed. Also the wording of notes and
questions on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from reconciler.messages.catalog import Message, entry, sections
from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.messages.template import Fact, Hint, Words, fill
from reconciler.model.remarks import Arg, Remark


def word_remarks(remarks: Iterable[Remark], commands: Commands = AS_WRITTEN) -> Words:
    """The wording of the remarks, in order."""
    filled = [(_template(r), r.facts) for r in remarks]
    notes = [fill_in(template.summary, facts) for template, facts in filled]
    hints = [
        Hint(fill_in(template.detail, facts), _commands(template.command, facts, commands))
        for template, facts in filled
        if template.detail or template.command
    ]
    return Words("; ".join(note for note in notes if note), tuple(dict.fromkeys(hints)))


def phrase(case: str, /, **facts: Arg) -> str:
    """The note of one remark."""
    return fill_in(templates("remarks")[case].summary, facts)


def _template(remark: Remark) -> Message:
    if remark.code is not None:
        return entry(remark.code).cases[remark.case]
    return templates("remarks")[remark.case]


def _commands(template: str, facts: Mapping[str, Arg], commands: Commands) -> tuple[str, ...]:
    return commands.block(fill_in(template, facts))


def fill_in(template: str, facts: Mapping[str, Arg]) -> str:
    """The template with the `facts` in its placeholders. A fact may be a remark, or a tuple of
    remarks. Raises KeyError if a fact is missing."""
    if not any(map(_is_remark, facts.values())):
        return fill(template, facts)
    return fill(template, {name: _in_words(fact) for name, fact in facts.items()})


def _is_remark(fact: Arg) -> bool:
    return isinstance(fact[0] if fact and isinstance(fact, tuple) else fact, Remark)


def _in_words(fact: Arg) -> Fact:
    if isinstance(fact, Remark):
        return word_remarks([fact])
    if isinstance(fact, tuple):
        remarks = [each for each in fact if isinstance(each, Remark)]
        return word_remarks(remarks) if remarks else tuple(map(str, fact))
    return fact


def note_text(case: str, facts: Mapping[str, Arg]) -> str:
    """A note or a question in words: a sentence, and commands on separate lines."""
    template = templates("notes", "questions")[case]
    commands = (f"    {line}" for line in template.command.split("\n") if line)
    return fill_in("\n".join((template.summary, *commands)), facts)


@cache
def templates(*names: str) -> dict[str, Message]:
    """Every wording in these files of the catalog, by its case."""
    found = (section for name in names for section in sections(name).values())
    return {case: wording for section in found for case, wording in section.cases.items()}
