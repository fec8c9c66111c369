"""Remarks about a task in a plan or an apply, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.diagnostics import Arg


@dataclass(frozen=True, slots=True)
class Remark:
    """`case` selects the wording (`messages/remarks.md`); `facts` may be external text, which
    renderers escape."""

    case: str
    facts: Mapping[str, Arg] = field(default_factory=dict, hash=False)


def remark(case: str, /, **facts: Arg) -> Remark:
    return Remark(case, facts)


def mention(remarks: Iterable[Remark], value: str) -> bool:
    return any(value == fact for r in remarks for fact in r.facts.values())
