"""The wording of remarks about tasks: a note, and hints that say how to proceed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from reconciler.messages.catalog import Message, sections
from reconciler.messages.commands import completed
from reconciler.messages.template import fill
from reconciler.model.diagnostics import Arg
from reconciler.model.remarks import Remark


class Hint(NamedTuple):
    """`text` says what the `commands` are for, which are ready to paste. One of the two may be
    empty."""

    text: str
    commands: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return [*([self.text] if self.text else []), *self.commands]


class Words(NamedTuple):
    """`note` is one line, without a full stop."""

    note: str
    hints: tuple[Hint, ...]

    def hint_text(self) -> str:
        """The hints as lines, for formats that have one text for them."""
        return "\n".join(line for hint in self.hints for line in hint.lines)


def word_remarks(remarks: Iterable[Remark]) -> Words:
    """The wording of the remarks, in order."""
    filled = [(remark_templates()[r.case], r.facts) for r in remarks]
    notes = [fill(template.summary, facts) for template, facts in filled]
    hints = [
        Hint(fill(template.detail, facts), _commands(template.command, facts))
        for template, facts in filled
        if template.detail or template.command
    ]
    return Words("; ".join(note for note in notes if note), tuple(dict.fromkeys(hints)))


def _commands(template: str, facts: Mapping[str, Arg]) -> tuple[str, ...]:
    return tuple(completed(fill(line, facts)) for line in template.split("\n") if line)


@cache
def remark_templates() -> dict[str, Message]:
    """The wording of every remark, by its case."""
    return {k: v for section in sections("remarks").values() for k, v in section.cases.items()}
