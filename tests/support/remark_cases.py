"""Strategies for remarks of every case, and functions that read remarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

from hypothesis import strategies as st

from reconciler.messages.catalog import Message
from reconciler.messages.remarks import templates, word_remarks
from reconciler.model.codes import Code
from reconciler.model.remarks import Arg, Remark

CATALOG = templates("remarks")


def fields(template: Message) -> dict[str, str]:
    """The facts in a wording, each with one of its formats."""
    return {
        name: form or ""
        for part in template
        for _, name, form, _ in Formatter().parse(part)
        if name is not None
    }


def causes(text: st.SearchStrategy[str]) -> st.SearchStrategy[Remark | tuple[Remark, ...]]:
    """Diagnostics as facts, of which some have causes themselves."""
    facts = st.fixed_dictionaries({"key": text, "why": text, "hint": text})
    one = st.builds(Remark, st.just(""), facts, st.just(Code.TASK_PROBLEM))
    two = one.map(lambda c: Remark("unsent", {"ref": "", "why": c}, Code.DELIVERY_REJECTED))
    return one | two | st.tuples(one, two)


@st.composite
def remarks(draw: st.DrawFn, text: st.SearchStrategy[str]) -> Remark:
    case = draw(st.sampled_from(sorted(CATALOG)))
    facts: dict[str, Arg] = {}
    for name, form in fields(CATALOG[case]).items():
        match form:
            case "and" | "or" | "list":
                facts[name] = tuple(draw(st.lists(text, min_size=1, max_size=3)))
            case "tasks":
                ahead = st.tuples(
                    text, st.sampled_from(["", "waiting"]), st.sampled_from(["", "9"])
                )
                facts[name] = sum(draw(st.lists(ahead, min_size=1, max_size=3)), ())
            case "age" | "more" | "n" | "s":
                facts[name] = draw(st.integers(0, 10**9))
            case _ if name == "why":
                facts[name] = draw(text | causes(text))
            case _:
                facts[name] = draw(text)
    return Remark(case, facts)


def cases(of: Iterable[Remark]) -> list[str]:
    return [r.case for r in of]


def commands(of: Iterable[Remark]) -> list[str]:
    """The commands of all hints, in order."""
    return [command for hint in word_remarks(of).hints for command in hint.commands]


def commands_of(document: Mapping[str, Any]) -> list[str]:
    """The commands of all hints of a task in a plan or apply document, without the options of the
    run, which begin with the service."""
    commands = [command for hint in document.get("hints", ()) for command in hint["commands"]]
    return [command.partition(" --backend ")[0] for command in commands]
