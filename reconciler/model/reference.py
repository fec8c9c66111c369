"""References: the last line of each prompt that taskctl sends says which key the task is for.

    Taskctl-Task: rotate-iam-keys/3 bafol-rusab-tizok

It names the key, the number of the request, and the ID of the state that sent it
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
    """What a task says about itself: its key when it was created, the number of the request, and
    the ID of the state that sent it."""

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
        """The reference in the form of `str`; None for anything else."""
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
    """A prompt that a task shows, without its reference, and the reference. Anywhere but in the
    last line that is not blank, a reference is text."""
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
    """Whether a prompt without a reference ends with what is left of one: the service may take a
    key for a credential."""
    return text.rstrip().rpartition("\n")[2].strip().startswith(PREFIX)


def reserved_line(text: str) -> int | None:
    """The first line of a declared prompt, from 0, that looks like a reference; None if there is
    none."""
    found = _RESERVED.search(text)
    return None if found is None else text.count("\n", 0, found.start())
