"""The references of created tasks, read with a pattern of its own: an oracle, independent of
taskctl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WORD = "[bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]"
_LINE = re.compile(
    rf"\n\nTaskctl-Task: (?P<key>\S+)/(?P<number>[1-9]\d*) (?P<state>{_WORD}(?:-{_WORD}){{2}})\Z"
)


_ANY_LINE = re.compile(r"^\s*Taskctl-Task:", re.MULTILINE)


class Sent(NamedTuple):
    """The prompt of a create request without its reference, and the parts of the reference."""

    prompt: str
    key: str
    number: int
    state: str


def reference_in(prompt: str) -> Sent | None:
    """The parts of a prompt that taskctl has sent; None for the prompt of another client."""
    match = _LINE.search(prompt)
    if match is None:
        return None
    return Sent(prompt[: match.start()], match["key"], int(match["number"]), match["state"])


def without_reference(prompt: str) -> str:
    """A prompt without its reference, if it has one."""
    found = reference_in(prompt)
    return prompt if found is None else found.prompt


def prompt_of(body: str | bytes) -> str:
    """The prompt of a create request, without its reference."""
    return without_reference(str(json.loads(body)["message"]["content"]))


def check_references(references: Mapping[str, Sequence[Sent]], keys: Mapping[str, str]) -> None:
    """Checks the references of tasks, by work: they name the `keys`, no prompt has two or nothing
    else, and a state uses a number for one key only. (If a request is delivered twice, two tasks
    have the same reference.)"""
    numbers: dict[tuple[str, int], str] = {}
    for work, found in references.items():
        for each in found:
            assert each.prompt.strip(), each
            assert _ANY_LINE.search(each.prompt) is None, each
            assert each.key == keys.get(work, each.key), each
            assert numbers.setdefault((each.state, each.number), work) == work, each
