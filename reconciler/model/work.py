"""Compares the work of two tasks: prompt and entities.

A service may normalize a prompt, delete entities that became invalid, and add fields to entities.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from reconciler.model.task import Inputs, entities_of, text_of

if TYPE_CHECKING:
    from reconciler.model.service import FirstMessage

REDACTED = "[REDACTED]"
"""Replaces secrets: text that looks like a credential (by the service), and the token in responses
(by taskctl)."""


def is_same_work(one: Inputs, other: Inputs) -> bool:
    """Whether two tasks have the same prompt and entities."""
    return _is_same(one, text_of(other) or "", entities_of(other))


def shows_work(message: FirstMessage, inputs: Inputs) -> bool:
    """Whether a task's first message has the prompt and the entities of `inputs`."""
    return _is_same(inputs, message.text, message.entities)


def _is_same(inputs: Inputs, text: str, entities: Collection[Mapping[str, object]]) -> bool:
    is_same_text = comparable_text(text) == comparable_text(text_of(inputs) or "")
    return is_same_text and _show_same(entities, entities_of(inputs))


def inputs_of(message: FirstMessage | None) -> dict[str, object]:
    """The inputs that the first message of a task has; empty if there is no message."""
    if message is None:
        return {}
    diff = {"entity_diff": {"add": list(message.entities)}} if message.entities else {}
    return {"message": {"content": message.text, **diff}}


def comparable_text(text: str) -> str:
    """A prompt for comparison: in Unicode's NFD, with `\\n` as line ends, and without white space
    at the end of lines and around the text. Not NFC: it would merge a combining character with the
    character before it. If the service has redacted that character, the texts would then differ."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        import unicodedata  # takes a megabyte, and few files need it

        text = unicodedata.normalize("NFD", text)
    return "\n".join(map(str.rstrip, text.split("\n"))).strip()


def _show_same(
    shown: Collection[Mapping[str, object]], sent: Collection[Mapping[str, object]]
) -> bool:
    """Whether exactly the sent entities are shown, possibly with further fields."""
    left = sorted(shown, key=_extent)
    # An entity may contain another: each matches the entity with the fewest further fields.
    for entity in sorted(sent, key=_extent, reverse=True):
        same = next((other for other in left if _has(other, entity)), None)
        if same is None:
            return False
        left.remove(same)
    return not left


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
