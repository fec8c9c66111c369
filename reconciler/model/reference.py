"""References: the last line of each prompt that taskctl sends says which key the task is for.

    Taskctl-Task: rotate-iam-keys/3 bafol-rusab-tizok

This is the key, the number of the request, and the ID of the state that sent the request
(docs/exactly-once.md). The service may redact hexadecimal text as a credential, so state IDs are
proquints: pronounceable words of five letters for 16 bits each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.shell import is_key

PREFIX = "Taskctl-Task:"

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"
_WORDS = 3
_WORD = f"[{_CONSONANTS}][{_VOWELS}][{_CONSONANTS}][{_VOWELS}][{_CONSONANTS}]"
_STATE = re.compile(rf"{_WORD}-{_WORD}-{_WORD}")
_REFERENCE = re.compile(rf"(\S+)/([1-9][0-9]{{0,14}}) ({_STATE.pattern})")
_RESERVED = re.compile(rf"^[ \t]*{PREFIX}", re.MULTILINE)


class Reference(NamedTuple):
    """A task's key when it was created, the number of the create request, and the ID of the state
    that sent the request."""

    key: str
    number: int
    state: str

    def __str__(self) -> str:
        return f"{self.key}/{self.number} {self.state}"

    @property
    def line(self) -> str:
        return f"{PREFIX} {self}"

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """Parses the text that `str` returns; None for any other text."""
        match = _REFERENCE.fullmatch(text)
        if match is None or not is_key(match[1]):
            return None
        return cls(match[1], int(match[2]), match[3])


def state_id(random: bytes) -> str:
    """The ID of a state, from 6 random bytes."""
    words = (random[at : at + 2] for at in range(0, 2 * _WORDS, 2))
    return "-".join(_proquint(int.from_bytes(word)) for word in words)


def _proquint(bits: int) -> str:
    letters = ((12, _CONSONANTS), (10, _VOWELS), (6, _CONSONANTS), (4, _VOWELS), (0, _CONSONANTS))
    return "".join(known[(bits >> shift) % len(known)] for shift, known in letters)


def is_state_id(text: str) -> bool:
    return _STATE.fullmatch(text) is not None


def with_reference(message: Mapping[str, Any], reference: Reference) -> dict[str, Any]:
    """The message of a create request, whose prompt ends with the reference."""
    prompt = message["content"].rstrip("\r\n")
    return {**message, "content": f"{prompt}\n\n{reference.line}"}


def split_prompt(text: str) -> tuple[str, Reference | None]:
    """Splits the prompt of a task into the declared prompt and the reference, if any. Only the last
    line that is not blank can be a reference."""
    shown = text.rstrip()
    prompt, _, last = shown.rpartition("\n")
    words = last.strip()
    if not words.startswith(PREFIX):
        return text, None
    reference = Reference.parse(words.removeprefix(PREFIX).strip())
    if reference is None:
        return text, None
    return prompt.rstrip("\r\n"), reference


def is_damaged(text: str) -> bool:
    """Whether a prompt without a valid reference ends with the rest of a reference: the service may
    redact a key that looks like a credential."""
    return text.rstrip().rpartition("\n")[2].strip().startswith(PREFIX)


def reserved_line(text: str) -> int | None:
    """The index of the first line of a declared prompt that looks like a reference, else None."""
    found = _RESERVED.search(text)
    return None if found is None else text.count("\n", 0, found.start())
