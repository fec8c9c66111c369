"""Compares the work of two tasks, prompt and entities: the only such comparison.

A service may normalize a prompt, redact credentials, delete entities that became invalid, and add
fields to entities. docs/contributing/exactly-once.md describes what counts as the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model.task import Inputs, entities_of, text_of

if TYPE_CHECKING:
    from reconciler.model.service import FirstMessage

REDACTED = "[REDACTED]"
"""Replaces secrets: credential-like text (by the service), and the token in responses (by us)."""


class Work(StrEnum):
    """The result of comparing the work of a task with inputs."""

    SAME = "same"
    SIMILAR = "similar"  # may be the same: redacted, with fewer entities, or without a message
    OTHER = "other"

    @property
    def may_be_same(self) -> bool:
        return self is not Work.OTHER


def compare_work(inputs: Inputs, message: FirstMessage | None) -> Work:
    """Compares the message that a task was, or would be, created with and the first message that a
    task shows (None: it shows none)."""
    if message is None:
        return Work.SIMILAR
    theirs, ours = comparable_text(message.text), comparable_text(text_of(inputs) or "")
    is_redacted = theirs != ours
    if is_redacted and not is_redaction_of(theirs, ours):
        return Work.OTHER
    missing = _missing_entities(message.entities, entities_of(inputs))
    if missing is None:
        return Work.OTHER
    return Work.SIMILAR if is_redacted or missing else Work.SAME


def message_of(inputs: Inputs) -> FirstMessage:
    """The first message of a task that is created with these inputs, without a mark."""
    from reconciler.model.service import FirstMessage  # `validate` rarely needs it

    return FirstMessage("", text_of(inputs) or "", entities_of(inputs))


def inputs_of(message: FirstMessage | None) -> dict[str, object]:
    """The inputs that the first message of a task shows; empty if there is no message."""
    if message is None:
        return {}
    diff = {"entity_diff": {"add": list(message.entities)}} if message.entities else {}
    return {"message": {"content": message.text, **diff}}


def comparable_text(text: str) -> str:
    """A prompt for comparison: in Unicode's NFD, with `\\n` as line ends, and without whitespace at
    the end of lines and around the text. In NFC, a placeholder could change the character before
    it."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        import unicodedata  # takes a megabyte, and few files need it

        text = unicodedata.normalize("NFD", text)
    return "\n".join(map(str.rstrip, text.split("\n"))).strip()


def is_redaction_of(theirs: str, ours: str) -> bool:
    """Whether `theirs` is `ours` with parts replaced by the service's placeholder."""
    first, *middle = theirs.split(REDACTED)
    if not middle or not ours.startswith(first):
        return False
    last, at = middle.pop(), len(first)
    for piece in middle:
        at = ours.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return len(ours) - len(last) > at and ours.endswith(last)


def _missing_entities(
    shown: Collection[Mapping[str, object]], sent: Collection[Mapping[str, object]]
) -> int | None:
    """The number of sent entities that are not shown; None if others are shown."""
    left = sorted(shown, key=_extent)
    missing = 0
    # An entity may contain another: each matches the entity with the fewest further fields.
    for entity in sorted(sent, key=_extent, reverse=True):
        same = next((other for other in left if _has(other, entity)), None)
        if same is None:
            missing += 1
        else:
            left.remove(same)
    return None if left else missing


def _extent(value: object) -> int:
    """The number of fields of a value, on all levels."""
    return sum(map(_extent, value.values())) if isinstance(value, Mapping) else 1


def _has(shown: object, sent: object) -> bool:
    """Whether an entity has all fields that were sent: the service may add some."""
    if isinstance(sent, Mapping):
        return isinstance(shown, Mapping) and all(
            _has(shown.get(name), value)
            for name, value in sent.items()
            if value is not None and not (name == "merged" and value is False)
        )
    return bool(shown == sent)
