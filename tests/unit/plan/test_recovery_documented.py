"""docs/exactly-once.md contains the recovery rules of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.plan.recovery import RULES, Found, NotCreated, Rule, Unresolved, Wait
from tests.support.plan_values import message, remote, view
from tests.unit.plan.test_recovery import OLD, YOUNG, ids, tried, verdicts

PAGE = Path(__file__).parents[3] / "docs" / "exactly-once.md"


def table(first: str) -> list[list[str]]:
    """The rows of the table whose header starts with that cell."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |")) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def row_of(rule: Rule) -> list[str]:
    facts = (rule.mark, rule.text, rule.entities, rule.creator)
    return [", ".join(fact) or "any" for fact in facts] + [rule.match.value]


def test_the_documented_table_of_facts_is_complete() -> None:
    assert table("mark") == [row_of(rule) for rule in RULES]


CASES: dict[str, list[tuple[str, str | None, str]]] = {
    "one is ours, and matches no other attempt": [("t", "work of a", "ours")],
    "the list is unreadable or out of order": [],
    "any is unreadable": [("t", None, "")],
    "any is doubtful, or two are ours": [("t", "something else", "ours")],
    "one is likely, and matches no other attempt": [("t", "work of a", "other")],
    "several are likely": [("t", "work of a", "other"), ("u", "work of a", "other")],
    "any is possible": [("t", "something else", "other")],
    "none": [],
}
WORDS = {Found: "adopt", Wait: "wait", Unresolved: "unresolved", NotCreated: "resend"}


def test_every_row_of_the_documented_decisions_has_a_case() -> None:
    assert [row[0] for row in table("candidates")] == list(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_documented_decisions_are_those_of_the_code(case: str) -> None:
    (row,) = [row for row in table("candidates") if row[0] == case]
    for at, expected in ((YOUNG, row[1]), (OLD, row[2])):
        ours = tried(at=at)
        marks = {"ours": ours.mark, "other": "2026-11-24T11:59:00.000000001Z"}
        seen = view(
            [remote(i) for i, _, _ in CASES[case]],
            {i: message(text, marks[m]) for i, text, m in CASES[case] if text is not None},
            unreadable={i: "HTTP 500" for i, text, _ in CASES[case] if text is None},
            unlisted={"acme": "it is null"} if case.startswith("the list") else {},
        )
        (found,) = verdicts(seen, ours)
        assert WORDS[type(found)] == expected, (case, ids([found]))
