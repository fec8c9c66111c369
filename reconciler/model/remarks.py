"""What there is to say about one task of a plan or of an apply: facts, worded by `messages`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.diagnostics import Arg


@dataclass(frozen=True, slots=True)
class Remark:
    """`case` names the wording (`messages/remarks.md`), `facts` fill it in.

    Facts may be text from outside: renderers make it inert.
    """

    case: str
    facts: Mapping[str, Arg] = field(default_factory=dict, hash=False)


def remark(case: str, /, **facts: Arg) -> Remark:
    return Remark(case, facts)


def mention(remarks: Iterable[Remark], value: str) -> bool:
    """Whether one of the facts is this value."""
    return any(value == fact for r in remarks for fact in r.facts.values())
