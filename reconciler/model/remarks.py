"""Remarks as values: facts about a task or problem, which `reconciler.messages` words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.model.codes import Code
from reconciler.model.value import Stored, field


class Remark(Stored, frozen=True):
    """`case` selects the wording, from those of `code` or, without a code, from
    `messages/remarks.md`. `facts` may be external text, which renderers escape."""

    case: str
    facts: Mapping[str, Arg] = field(default_factory=dict)
    code: Code | None = None

    def __hash__(self) -> int:
        return hash((self.case, self.code))  # facts need not be hashable


Arg = str | int | float | bool | None | Remark | tuple[str | Remark, ...]
"""A fact. It may be external text, which renderers escape, or remarks: the cause of a problem."""


def remark(case: str, /, **facts: Arg) -> Remark:
    return Remark(case, facts)


class RemarkError(ValueError):
    """A problem that the caller reports, because only the caller knows its location."""

    def __init__(self, code: Code, case: str = "", /, **facts: Arg) -> None:
        super().__init__(code.value, case)
        self.code, self.case = code, case
        self.facts: Mapping[str, Arg] = facts


def said(text: str) -> Remark:
    """The service's error message."""
    return Remark("said", {"text": text})


def map_fact(change: Callable[[Any], Any], kind: type, fact: Any) -> Any:
    """Applies `change` to a fact of this `kind`, or to each such value in a tuple."""
    if isinstance(fact, tuple):
        return tuple(map_fact(change, kind, each) for each in fact)
    return change(fact) if isinstance(fact, kind) else fact


def mention(remarks: Iterable[Remark], value: str) -> bool:
    return any(value == fact for r in remarks for fact in r.facts.values())
